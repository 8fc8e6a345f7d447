import { afterAll, beforeAll, expect, test } from "bun:test";
import { TestEtcd } from "../../../test/support/etcd.ts";
import { StorageError } from "../storage.ts";
import { EtcdClient } from "./etcd-client.ts";
import { EtcdStorage } from "./etcd-storage.ts";
import { reclaimRoom } from "./reclaim-room.ts";

let etcd: TestEtcd;
beforeAll(async () => { etcd = await TestEtcd.start({ flags: ["--quota-backend-bytes=4000000"] }); }, 180_000);
afterAll(() => etcd[Symbol.asyncDispose]());

test("a database that is full takes writes again after a deletion, when its room is reclaimed", async () => {
  const storage = await EtcdStorage.open(etcd.clientOptions), client = new EtcdClient(etcd.clientOptions);
  const key = (n: number): string => `/registry/core/configmaps/default/big-${n}`, put = (n: number): Promise<number> => storage.create(key(n), new Uint8Array(500_000));
  expect(await reclaimRoom(client)).toBe(false);
  const revisions: number[] = [];
  const full = await (async () => { for (;;) revisions.push(await put(revisions.length)); })().catch((error: unknown) => error);
  expect(full).toBeInstanceOf(StorageError);
  // There is none yet: etcd says so again.
  expect(await reclaimRoom(client)).toBe(true);
  await expect(put(revisions.length)).rejects.toMatchObject({ code: "full" });

  for (const [n, revision] of revisions.entries()) await storage.delete(key(n), revision);
  expect(await reclaimRoom(client)).toBe(true);
  await put(0);
  expect((await storage.status()).alarms).toEqual([]);
  client.close();
  await storage.close();
}, 180_000);
