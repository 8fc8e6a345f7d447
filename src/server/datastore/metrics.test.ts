import { expect, test } from "bun:test";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { createMetrics } from "../../base/metrics.ts";
import { MemoryStorage } from "../../storage/memory/memory-storage.ts";
import type { StorageStatus } from "../../storage/storage.ts";
import { registerDatastoreMetrics } from "./metrics.ts";

test("a scrape tells how the datastore does at that moment", async () => {
  const metrics = createMetrics(), clock = new FakeClock(), storage = new MemoryStorage();
  let status: StorageStatus = { engine: "sqlite", version: "3.50.0", sizeBytes: 4096, sizeInUseBytes: 1024, maxBytes: 1e9, durableRevision: 1, alarms: [], writtenBytes: 10 };
  storage.status = async () => status;
  registerDatastoreMetrics(metrics, storage, clock);
  await clock.advance(60_000);
  await metrics.collect();
  const lines = metrics.render().split("\n");
  for (const line of [
    'apiserver_storage_size_bytes{storage_cluster_id="sqlite"} 4096', "etcd_mvcc_db_total_size_in_bytes 4096", "etcd_mvcc_db_total_size_in_use_in_bytes 1024", "etcd_server_quota_backend_bytes 1000000000",
    "skiff_datastore_written_bytes_total 10", "skiff_datastore_open_seconds 60", 'skiff_datastore_info{engine="sqlite",version="3.50.0"} 1', 'skiff_datastore_alarm{alarm="NOSPACE"} 0',
  ]) expect(lines).toContain(line);
  status = { ...status, alarms: ["NOSPACE"], writtenBytes: 20 };
  await metrics.collect();
  expect(metrics.render()).toContain('skiff_datastore_alarm{alarm="NOSPACE"} 1\n');
  expect(metrics.render()).toContain("skiff_datastore_written_bytes_total 20\n");
});

test("a datastore that doesn't answer holds up a scrape for a second alone", async () => {
  const metrics = createMetrics(), clock = new FakeClock(), storage = new MemoryStorage();
  storage.status = () => new Promise(() => {});
  registerDatastoreMetrics(metrics, storage, clock);
  const collected = metrics.collect();
  await clock.advance(1_000);
  await collected;
  expect(metrics.render()).not.toMatch(/^etcd_mvcc_db_total_size_in_bytes/m);
});
