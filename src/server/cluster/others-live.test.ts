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
const ask = () => othersLive({ etcd: etcd.clientOptions, nodeName: "one", clock });

test("who renews its Lease lives; one that doesn't is dead, and this server isn't another", async () => {
  expect(await ask()).toBe(false);
  await renew("one");
  expect(await ask()).toBe(false);
  await renew("two");
  expect(await ask()).toBe(false);
  const asked = ask(), again = setTimeout(() => void renew("two"), 300);
  expect(await asked).toBe(true);
  clearTimeout(again);
});

test("another that lives by this server's name is told from this one before its restart", async () => {
  const namesake = (id: string | undefined) => namesakeLives({ etcd: etcd.clientOptions, nodeName: "edge", clock, id });
  expect(await namesake(undefined)).toBe(false);
  await renew("edge", "edge_a");
  expect(await namesake("b")).toBe(false);
  for (const [id, lives] of [["a", false], ["b", true], [undefined, true]] as const) {
    const asked = namesake(id), again = setTimeout(() => void renew("edge", "edge_a"), 300);
    expect(await asked).toBe(lives);
    clearTimeout(again);
  }
});
