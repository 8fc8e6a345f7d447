import { expect, test } from "bun:test";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { createMetrics } from "../../base/metrics.ts";
import { MemoryStorage } from "../../storage/memory/memory-storage.ts";
import { StorageError } from "../../storage/storage.ts";
import { MeasuredStorage } from "./measured-storage.ts";

test("each request is counted and timed by kind; what is refused is no error, what fails is", async () => {
  const metrics = createMetrics(), clock = new FakeClock(), inner = new MemoryStorage(), storage = new MeasuredStorage(inner, { metrics, clock });
  const create = inner.create.bind(inner);
  inner.create = async (...of) => {
    await clock.sleep(70);
    return create(...of);
  };
  const key = "/registry/apps/deployments/default/a", value = new Uint8Array(1);
  const slow = storage.create(key, value);
  await clock.advance(70);
  await slow;
  await expect(storage.update(key, 7, value)).rejects.toThrow("is at revision");
  inner.delete = async () => { throw new StorageError("io", "the disk is gone"); };
  await expect(storage.delete(key, 1)).rejects.toThrow("the disk is gone");
  await storage.get("/registry/core/nodes/n");
  await storage.list("/registry/core/pods/default/", { limit: 1 });
  await storage.list("/registry/");
  const lines = metrics.render().split("\n");
  const deployments = 'group="apps",resource="deployments"';
  for (const line of [
    `etcd_request_duration_seconds_bucket{operation="create",${deployments},le="0.05"} 0`, `etcd_request_duration_seconds_bucket{operation="create",${deployments},le="0.1"} 1`,
    `etcd_request_duration_seconds_sum{operation="create",${deployments}} 0.07`,
  ]) expect(lines).toContain(line);
  expect(lines.filter((line) => /^etcd_request(s|_errors)_total/.test(line))).toEqual([
    `etcd_requests_total{operation="create",${deployments}} 1`, `etcd_requests_total{operation="update",${deployments}} 1`, `etcd_requests_total{operation="delete",${deployments}} 1`,
    'etcd_requests_total{operation="get",group="",resource="nodes"} 1', 'etcd_requests_total{operation="list",group="",resource="pods"} 1',
    `etcd_request_errors_total{operation="delete",${deployments}} 1`,
  ]);
});
