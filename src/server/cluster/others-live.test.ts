import { afterAll, expect, test } from "bun:test";
import { type Clock, systemClock } from "../../base/clock.ts";
import { EtcdClient } from "../../storage/etcd/etcd-client.ts";
import { toKey } from "../../storage/etcd/messages.ts";
import { TestEtcd } from "../../../test/support/etcd.ts";
import { namesakeLives, othersLive } from "./others-live.ts";

const etcd = await TestEtcd.start();
const client = new EtcdClient(etcd.clientOptions);
afterAll(async () => {
  client.close();
  await etcd[Symbol.asyncDispose]();
});

/** Twenty times as fast. */
const clock: Clock = { ...systemClock, monotonic: () => systemClock.monotonic() * 20, sleep: (ms, signal) => systemClock.sleep(ms / 20, signal) };
const renew = (server: string, holder = "") => client.call("Txn", { success: [{ requestPut: { key: toKey(`/registry/coordination.k8s.io/leases/kube-system/skiff-server-${server}`), value: toKey(JSON.stringify({ spec: { holderIdentity: holder } })) } }] }, { repeatable: true });
/** What is answered while a Lease is renewed all the time. */
async function whileRenewed<T>(question: Promise<T>, ...lease: Parameters<typeof renew>): Promise<T> {
  let answered = false;
  const renewing = (async () => {
    while (!answered) await Bun.sleep(50).then(() => renew(...lease));
  })();
  return question.finally(async () => {
    answered = true;
    await renewing;
  });
}
const ask = () => othersLive({ etcd: etcd.clientOptions, nodeName: "one", clock });

test("who renews its Lease lives; one that doesn't is dead, and this server isn't another", async () => {
  expect(await ask()).toBe(false);
  await renew("one");
  expect(await ask()).toBe(false);
  await renew("two");
  expect(await ask()).toBe(false);
  expect(await whileRenewed(ask(), "two")).toBe(true);
});

test("another that lives by this server's name is told from this one before its restart", async () => {
  const namesake = (id: string | undefined) => namesakeLives({ etcd: etcd.clientOptions, nodeName: "edge", clock, id });
  expect(await namesake(undefined)).toBe(false);
  await renew("edge", "edge_a");
  expect(await namesake("b")).toBe(false);
  for (const [id, lives] of [["a", false], ["b", true], [undefined, true]] as const) expect(await whileRenewed(namesake(id), "edge", "edge_a")).toBe(lives);
});
