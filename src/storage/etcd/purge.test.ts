import { afterAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { TestEtcd } from "../../../test/support/etcd.ts";
import { parseEndpoints } from "./endpoints.ts";
import { EtcdStorage } from "./etcd-storage.ts";

const etcd = await TestEtcd.start({ members: 3 });
afterAll(() => etcd[Symbol.asyncDispose]());

const word = "correct-horse-battery-staple", key = "/registry/core/secrets/default/a";
const holding = (): number[] => [0, 1, 2].filter((i) => readFileSync(join(etcd.directory, `m${i}/member/snap/db`)).includes(word));

test("what was overwritten is in no member's database, known here or not; while one can't be reached nothing is done", async () => {
  const storage = await EtcdStorage.open({ ...etcd.clientOptions, endpoints: parseEndpoints(etcd.urls[0]!) });
  const written = await storage.create(key, Buffer.from(word));
  // Of each batch etcd's databases hear a moment later.
  await storage.purge();
  expect(holding()).toEqual([0, 1, 2]);
  const overwritten = await storage.update(key, written, Buffer.from("nothing"));
  await etcd.kill(1);
  const before = storage.compactedRevision;
  expect(await storage.purge().catch((error: Error) => error.message)).toBe(`the member m1 of etcd can't be reached at ${etcd.urls[1]}`);
  expect(storage.compactedRevision).toBe(before);
  etcd.startMember(1);
  await etcd.ready(1);
  await storage.purge();
  expect(storage.compactedRevision).toBeGreaterThanOrEqual(overwritten);
  expect(holding()).toEqual([]);
  await storage.close();
}, 180_000);
