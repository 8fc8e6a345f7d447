import type { Clock } from "../base/clock.ts";
import { StorageError, type Storage } from "./storage.ts";

export interface CompactionPolicy {
  /** History younger than this is kept, in milliseconds… */
  keepMs: number;
  /** …but no more of it than so many past states. */
  keepStates: number;
  /** How often to look, in milliseconds. */
  intervalMs: number;
  /** Less than this waits until `patienceMs` have passed since the last time: each time costs an idle server's disk as much as a write of its own. */
  worthStates: number;
  patienceMs: number;
}

/** Five minutes, as kube-apiserver keeps in etcd (--etcd-compaction-interval). With it nothing outlives ten, twice that, however little is written. */
const defaultCompactionPolicy: CompactionPolicy = { keepMs: 300_000, keepStates: 20_000, intervalMs: 30_000, worthStates: 100, patienceMs: 200_000 };

/** How much history there was up to a revision. */
interface Place {
  revision: number;
  /** As `Storage.replaced` counts. */
  replaced: number;
}

/** The newest revision at a time. */
export interface Mark extends Place {
  at: number;
}

/** Up to where history may go, and the marks still of use. `marks` are in order of time, the first from before all history, the newest the present. */
export function planCompaction(marks: readonly Mark[], { keepMs, keepStates }: CompactionPolicy): { upTo: Place; marks: Mark[] } {
  const now = marks.at(-1)!;
  const old = marks.findLast(({ at }) => at <= now.at - keepMs)!;
  const surplus = placeOf(now.replaced - keepStates, marks);
  return { upTo: surplus && surplus.revision > old.revision ? surplus : old, marks: marks.filter(({ at }) => at >= old.at) };
}

/** Where so many states had been replaced, as if those between two marks lay evenly. Undefined when that was before all marks. */
function placeOf(replaced: number, marks: readonly Mark[]): Place | undefined {
  const after = marks.findIndex((mark) => mark.replaced > replaced);
  const from = marks[after - 1], to = marks[after];
  return from && to && { replaced, revision: from.revision + Math.floor((to.revision - from.revision) * (replaced - from.replaced) / (to.replaced - from.replaced)) };
}

/** Forgets old history until `signal` aborts. Does nothing to the disk while nothing is written. `failed` hears what went wrong; the next turn tries again. */
export async function runCompaction({ storage, clock, failed, policy = defaultCompactionPolicy }: {
  storage: Storage;
  clock: Clock;
  failed: (error: StorageError) => void;
  policy?: CompactionPolicy;
}, signal: AbortSignal): Promise<void> {
  const present = (): Mark => ({ at: clock.monotonic(), revision: storage.revision, replaced: storage.replaced });
  // When what there is already was written, nobody knows.
  let marks: Mark[] = [{ at: -Infinity, revision: storage.compactedRevision, replaced: 0 }, present()];
  let compacted = { at: clock.monotonic(), replaced: 0 };
  while (await slept(clock, policy.intervalMs, signal)) {
    const now = present(), { upTo, marks: useful } = planCompaction([...marks, now], policy);
    marks = useful;
    if (upTo.revision <= storage.compactedRevision || (upTo.replaced - compacted.replaced < policy.worthStates && now.at - compacted.at < policy.patienceMs)) continue;
    try {
      await storage.compact(upTo.revision);
      compacted = { at: now.at, replaced: upTo.replaced };
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      if (error.code === "closed") return;
      failed(error);
    }
  }
}

/** False when `signal` aborts first. */
const slept = (clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> => clock.sleep(ms, signal).then(() => true, () => false);
