import type { Clock } from "../../base/clock.ts";
import type { Counter, Histogram, MetricsRegistry } from "../../base/metrics.ts";
import { StorageError, type Storage, type StorageErrorCode, type StorageStatus, type Stored, type WriteOptions } from "../../storage/storage.ts";

/** In seconds: half of those that kube-apiserver has. */
const buckets = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 15, 60];

/** What is an answer, and no failure of the datastore. */
const answers: readonly StorageErrorCode[] = ["exists", "notFound", "conflict", "compacted"];

/** Another Storage, and how long its reads and writes take by kind of object: for the dashboards that kube-apiserver's metrics have, whatever the engine. */
export class MeasuredStorage implements Storage {
  readonly latest?: () => Promise<number>;
  readonly #inner: Storage;
  readonly #clock: Clock;
  readonly #seconds: Histogram;
  readonly #requests: Counter;
  readonly #errors: Counter;

  constructor(inner: Storage, { metrics, clock }: { metrics: MetricsRegistry; clock: Clock }) {
    this.#inner = inner;
    this.#clock = clock;
    if (inner.latest) this.latest = () => inner.latest!();
    const labels = ["operation", "group", "resource"];
    this.#seconds = metrics.histogram({ name: "etcd_request_duration_seconds", help: "Etcd request latency in seconds for each operation and object type.", labels, buckets });
    this.#requests = metrics.counter({ name: "etcd_requests_total", help: "Etcd request counts for each operation and object type.", labels });
    this.#errors = metrics.counter({ name: "etcd_request_errors_total", help: "Etcd failed request counts for each operation and object type.", labels });
  }

  get revision(): number {
    return this.#inner.revision;
  }

  get compactedRevision(): number {
    return this.#inner.compactedRevision;
  }

  get replaced(): number {
    return this.#inner.replaced;
  }

  get(key: string): Promise<Stored | undefined> {
    return this.#measured("get", key, () => this.#inner.get(key));
  }

  list(...[prefix, options]: Parameters<Storage["list"]>): ReturnType<Storage["list"]> {
    return this.#measured("list", prefix, () => this.#inner.list(prefix, options));
  }

  create(key: string, value: Uint8Array, options?: WriteOptions): Promise<number> {
    return this.#measured("create", key, () => this.#inner.create(key, value, options));
  }

  update(key: string, expectedRevision: number, value: Uint8Array, options?: WriteOptions): Promise<number> {
    return this.#measured("update", key, () => this.#inner.update(key, expectedRevision, value, options));
  }

  delete(key: string, expectedRevision: number, options?: WriteOptions): Promise<number> {
    return this.#measured("delete", key, () => this.#inner.delete(key, expectedRevision, options));
  }

  watch(...of: Parameters<Storage["watch"]>): Promise<void> {
    return this.#inner.watch(...of);
  }

  compact(revision: number): Promise<void> {
    return this.#inner.compact(revision);
  }

  purge(): Promise<void> {
    return this.#inner.purge();
  }

  status(): Promise<StorageStatus> {
    return this.#inner.status();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** What concerns all kinds at once, as the start's reading does, has none to be counted by. */
  async #measured<T>(operation: string, of: string, request: () => Promise<T>): Promise<T> {
    const [, , group, resource] = of.split("/", 4);
    if (!resource) return request();
    const labels = [operation, group === "core" ? "" : group!, resource], began = this.#clock.monotonic();
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof StorageError && answers.includes(error.code))) this.#errors.inc(labels);
      throw error;
    } finally {
      this.#requests.inc(labels);
      this.#seconds.observe((this.#clock.monotonic() - began) / 1000, labels);
    }
  }
}
