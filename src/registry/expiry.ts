import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { Clock } from "../base/clock.ts";
import type { Cacher } from "../storage/cacher/cacher.ts";
import { StorageError } from "../storage/storage.ts";

/** Objects that expire together are removed together: this much later than they could be, at most. In milliseconds. */
const graceMs = 5_000;

/**
 * Removes the objects of a kind that nobody has written for `ttlMs`, until `signal` aborts, as kube-apiserver has etcd do with Events
 * (--event-ttl). What is there at the start has what is left of its time by `writtenAt`: all of it where the wall clock is behind, as on a
 * machine without one that has just begun. From then on the wall clock has no say. Another server may remove them, too. `failed` hears what went
 * wrong; those objects get their time again.
 */
export async function runExpiry({ cacher, prefix, ttlMs, writtenAt, clock, failed }: {
  cacher: Cacher;
  /** Of the keys. */
  prefix: string;
  ttlMs: number;
  /** When the object says that it was written last, in milliseconds since 1970; undefined where it doesn't say. */
  writtenAt(object: Frozen<KubeObject>): number | undefined;
  clock: Clock;
  failed: (error: StorageError) => void;
}, signal: AbortSignal): Promise<void> {
  // All live equally long from their writes on, so the order of those is that of their ends.
  const ends = new Map<string, number>();
  let appeared = Promise.withResolvers<void>();
  const live = (key: string, leftMs = ttlMs): void => {
    ends.delete(key);
    ends.set(key, clock.monotonic() + leftMs);
    appeared.resolve();
  };
  const keyOf = ({ metadata: { namespace, name } }: Frozen<KubeObject>): string => prefix + (namespace ? `${namespace}/${name}` : name);
  const unsubscribe = cacher.onChange(prefix, (old, current) => {
    if (current) live(keyOf(current));
    else ends.delete(keyOf(old!));
  });
  signal.addEventListener("abort", () => appeared.resolve(), { once: true });
  const leftOf = (object: Frozen<KubeObject>): number => Math.min(Math.max((writtenAt(object) ?? Infinity) + ttlMs - clock.now(), 0), ttlMs);
  const old = cacher.list(prefix).map(({ key, object }) => ({ key, leftMs: leftOf(object) }));
  for (const { key, leftMs } of old.toSorted((a, b) => a.leftMs - b.leftMs)) live(key, leftMs);
  try {
    while (!signal.aborted) {
      const first = ends.values().next().value;
      if (first === undefined) {
        appeared = Promise.withResolvers();
        await appeared.promise;
        continue;
      }
      await clock.sleep(Math.max(first - clock.monotonic(), 0) + graceMs, signal).catch(() => {});
      if (signal.aborted) return;
      const now = clock.monotonic(), over = ends.entries().filter(([, end]) => end <= now).map(([key]) => key).toArray();
      for (const key of over) await remove(key);
    }
  } finally {
    unsubscribe();
  }

  async function remove(key: string): Promise<void> {
    const entry = cacher.get(key);
    if (!entry) return void ends.delete(key);
    if (ends.get(key)! > clock.monotonic()) return;
    try {
      await cacher.delete(key, entry.revision, { volatile: true });
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      // Written or removed by another at the same moment: its own event says what is to be done.
      if (error.code === "conflict" || error.code === "notFound") return;
      if (error.code !== "closed") failed(error);
      if (ends.has(key)) live(key);
    }
  }
}
