import type { Clock } from "../base/clock.ts";
import { StorageError, type Storage } from "./storage.ts";

export interface CompactionPolicy {
  /** History younger than this is kept, in milliseconds… */
  keepMs: number;
  /** …but no more than so many revisions; not each of them is a write. */
  keepRevisions: number;
  /** How often to look, in milliseconds. */
  intervalMs: number;
  /** Less than this waits until `patienceMs` have passed since the last time: each time costs an idle server's disk as much as a write of its own. */
  worthRevisions: number;
  patienceMs: number;
}

/** Five minutes, as kube-apiserver keeps in etcd (--etcd-compaction-interval). With it nothing outlives ten, twice that, however little is written. */
export const defaultCompactionPolicy: CompactionPolicy = { keepMs: 300_000, keepRevisions: 20_000, intervalMs: 30_000, worthRevisions: 200, patienceMs: 200_000 };

/** What was the newest revision at a time. */
export interface Mark {
  at: number;
  revision: number;
}

/** Up to where history may go, and the marks still of use. `marks` are in order of time, the newest is the present. */
export function planCompaction(marks: readonly Mark[], { keepMs, keepRevisions }: CompactionPolicy): { upTo: number; marks: Mark[] } {
  const now = marks.at(-1)!;
  const old = marks.filter(({ at }) => at <= now.at - keepMs).at(-1);
  return { upTo: Math.max(old?.revision ?? 0, now.revision - keepRevisions), marks: marks.filter((mark) => !old || mark.at >= old.at) };
}

/** Forgets old history until `signal` aborts. Does nothing to the disk while nothing is written. `failed` hears what went wrong; the next turn tries again. */
export async function runCompaction({ storage, clock, failed, policy = defaultCompactionPolicy }: {
  storage: Storage;
  clock: Clock;
  failed: (error: StorageError) => void;
  policy?: CompactionPolicy;
}, signal: AbortSignal): Promise<void> {
  let marks: Mark[] = [{ at: clock.monotonic(), revision: storage.revision }];
  let compactedAt = clock.monotonic();
  while (await slept(clock, policy.intervalMs, signal)) {
    const plan = planCompaction([...marks, { at: clock.monotonic(), revision: storage.revision }], policy);
    marks = plan.marks;
    const gain = plan.upTo - storage.compactedRevision;
    if (gain <= 0 || (gain < policy.worthRevisions && clock.monotonic() - compactedAt < policy.patienceMs)) continue;
    try {
      await storage.compact(plan.upTo);
      compactedAt = clock.monotonic();
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      if (error.code === "closed") return;
      failed(error);
    }
  }
}

/** False when `signal` aborts first. */
const slept = (clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> => clock.sleep(ms, signal).then(() => true, () => false);
