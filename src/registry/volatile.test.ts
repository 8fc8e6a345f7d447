import { afterEach, beforeEach, expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { leases, type Lease } from "../apis/coordination/lease.ts";
import { events } from "../apis/core/event.ts";
import { nodes, type Node } from "../apis/core/node.ts";
import { SqliteStorage } from "../storage/sqlite/sqlite-storage.ts";
import { prefixOf } from "./store.ts";
import { type RegistryFixture, startRegistry } from "./testing/fixture.ts";

let directory: string, fixture: RegistryFixture;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "skiff-volatile-"));
  fixture = await startRegistry({ directory });
});
afterEach(async () => {
  await fixture[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

const written = async (): Promise<number> => (await fixture.storage.status()).writtenBytes!;

/** What a power cut at this moment would leave of a kind. */
async function afterPowerCut<T>(card: Parameters<typeof prefixOf>[0]): Promise<T[]> {
  for (const suffix of ["", "-wal"]) copyFileSync(join(directory, `state.db${suffix}`), join(directory, `cut.db${suffix}`));
  const storage = await SqliteStorage.open({ path: join(directory, "cut.db") });
  const { items } = await storage.list(prefixOf(card));
  await storage.close();
  return items.map(({ value }) => JSON.parse(new TextDecoder().decode(value)) as T);
}

test("a Lease's holder is durable before it is acknowledged; that it is renewed costs the disk nothing", async () => {
  const { client } = fixture, renewTime = (second: number): string => `2026-01-01T00:00:${String(second).padStart(2, "0")}.000000Z`;
  let lease = structuredClone(await client.create(leases, { metadata: { namespace: "default", name: "leader" }, spec: { holderIdentity: "a", leaseDurationSeconds: 15, renewTime: renewTime(0) } })) as Lease;
  lease = structuredClone(await client.update(leases, { ...lease, spec: { ...lease.spec, renewTime: renewTime(1) } })) as Lease;
  const before = await written(), versions = new Set<string>();
  for (let second = 2; second < 60; second++) {
    lease = structuredClone(await client.update(leases, { ...lease, spec: { ...lease.spec, renewTime: renewTime(second) } })) as Lease;
    versions.add(lease.metadata.resourceVersion!);
  }
  expect(versions.size).toBe(58);
  // Messages between threads are counted, too.
  expect(await written() - before).toBeLessThan(2_000);
  expect(await afterPowerCut<Lease>(leases)).toMatchObject([{ spec: { holderIdentity: "a" } }]);
  lease = structuredClone(await client.update(leases, { ...lease, spec: { ...lease.spec, holderIdentity: "b", leaseTransitions: 1 } })) as Lease;
  expect(await afterPowerCut<Lease>(leases)).toMatchObject([{ spec: { holderIdentity: "b", leaseTransitions: 1, renewTime: renewTime(59) } }]);
});

test("Events are seen and listed, and never reach the disk", async () => {
  const { client } = fixture, event = (name: string) => ({ metadata: { namespace: "default", name }, involvedObject: { kind: "Pod", namespace: "default", name: "p" }, reason: "Tested", reportingComponent: "", reportingInstance: "" });
  await client.create(events, event("first"));
  const before = await written();
  for (let i = 0; i < 50; i++) await client.create(events, event(`e${i}`));
  await client.delete(events, { namespace: "default", name: "e7" });
  expect((await client.list(events)).items).toHaveLength(50);
  expect(await written() - before).toBeLessThan(2_000);
  expect(await afterPowerCut(events)).toEqual([]);
});

test("a node's heartbeats cost the disk nothing; a condition that changes is durable", async () => {
  const { client } = fixture;
  await client.create(nodes, { metadata: { name: "n" }, spec: {} });
  const beat = (status: string, second: number) => client.patch(nodes, { name: "n" }, {
    type: "application/strategic-merge-patch+json", body: { status: { conditions: [{ type: "Ready", status, lastHeartbeatTime: `2026-01-01T00:00:${String(second).padStart(2, "0")}Z` }] } },
  }, { subresource: "status" });
  await beat("True", 0);
  await beat("True", 1);
  const before = await written();
  for (let second = 2; second < 60; second++) await beat("True", second);
  expect(await written() - before).toBeLessThan(2_000);
  await beat("False", 59);
  expect(await afterPowerCut<Node>(nodes)).toMatchObject([{ status: { conditions: [{ type: "Ready", status: "False" }] } }]);
});
