import type { Clock } from "../../base/clock.ts";
import type { MetricsRegistry } from "../../base/metrics.ts";
import type { Storage, StorageStatus } from "../../storage/storage.ts";

/** Longer than this a scrape doesn't wait for an engine elsewhere; it tells what was known last. */
const patienceMs = 1_000;

/** Names of metrics that other parts of Skiff read. Those of etcd and kube-apiserver are named as there. */
export const datastoreMetrics = {
  size: "etcd_mvcc_db_total_size_in_bytes", inUse: "etcd_mvcc_db_total_size_in_use_in_bytes", quota: "etcd_server_quota_backend_bytes",
  written: "skiff_datastore_written_bytes_total", seconds: "skiff_datastore_open_seconds", info: "skiff_datastore_info", alarm: "skiff_datastore_alarm",
} as const;

/** What the datastore says of itself, asked for when somebody scrapes. */
export function registerDatastoreMetrics(metrics: MetricsRegistry, storage: Storage, clock: Clock): void {
  const opened = clock.monotonic();
  let known: StorageStatus | undefined;
  metrics.beforeRender(async () => {
    const answered = new AbortController();
    const asked = storage.status().then((status) => void (known = status), () => {}).finally(() => answered.abort());
    await Promise.race([asked, clock.sleep(patienceMs, answered.signal).catch(() => {})]);
  });
  const gauge = (name: string, help: string, read: (status: StorageStatus) => number | undefined, type: "gauge" | "counter" = "gauge"): void => {
    metrics.callback({ name, help, type, labels: [], *read() {
      const value = known && read(known);
      if (value !== undefined) yield [[], value] as const;
    } });
  };
  metrics.callback({ name: "apiserver_storage_size_bytes", help: "Size of the storage database file physically allocated in bytes.", type: "gauge", labels: ["storage_cluster_id"], read: () => (known ? [[[known.engine], known.sizeBytes] as const] : []) });
  gauge(datastoreMetrics.size, "Total size of the underlying database physically allocated in bytes.", ({ sizeBytes }) => sizeBytes);
  gauge(datastoreMetrics.inUse, "Total size of the underlying database logically in use in bytes.", ({ sizeInUseBytes }) => sizeInUseBytes);
  gauge(datastoreMetrics.quota, "Current backend storage quota size in bytes.", ({ maxBytes }) => maxBytes);
  gauge(datastoreMetrics.written, "Bytes that the database has written to files since it was opened.", ({ writtenBytes }) => writtenBytes, "counter");
  gauge(datastoreMetrics.seconds, "How long ago the database was opened.", () => (clock.monotonic() - opened) / 1000);
  metrics.callback({ name: datastoreMetrics.info, help: "What keeps the cluster's state.", type: "gauge", labels: ["engine", "version"], read: () => (known ? [[[known.engine, known.version ?? ""], 1] as const] : []) });
  metrics.callback({ name: datastoreMetrics.alarm, help: "Whether an alarm of the database is raised.", type: "gauge", labels: ["alarm"], read: () => (["NOSPACE", "CORRUPT"] as const).map((alarm) => [[alarm], known?.alarms.includes(alarm) ? 1 : 0] as const) });
}
