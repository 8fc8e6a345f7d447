import type { Frozen } from "../../apimachinery/meta.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { finishedAt } from "./job-pods.ts";

/** A failed pod is replaced after 10 s; the next ones in a row after twice as long each, up to ten minutes. */
const base = 10_000, longest = 600_000;

/** What the clocks show, in milliseconds: the wall clock is what objects tell, the other one never jumps. */
export interface Times {
  now: number;
  monotonic: number;
}

/** When something happened that an object tells of, by the clock that never jumps; what seems to lie ahead happened now. */
export const happenedAt = (time: number, { now, monotonic }: Times): number => monotonic - Math.max(0, now - time);

/** The failures since the last success. */
export interface Failures {
  inARow: number;
  /** By the clock that never jumps. */
  last?: number;
}

export const noFailures: Failures = { inARow: 0 };

/** Takes in pods that have ended since. Source: newBackoffRecord. */
export function recordEnds(before: Failures, succeeded: readonly Frozen<Pod>[], failed: readonly Frozen<Pod>[], times: Times): Failures {
  const failures = failed.map(finishedAt).filter((time) => succeeded.length === 0 || time > Math.max(...succeeded.map(finishedAt)));
  const since = succeeded.length === 0 ? before : noFailures;
  return failures.length === 0 ? since : { inARow: since.inARow + failures.length, last: happenedAt(Math.max(...failures), times) };
}

/** Milliseconds until the next pod may be made. */
export function remainingBackoff({ inARow, last }: Failures, monotonic: number): number {
  if (inARow === 0 || last === undefined) return 0;
  return Math.max(0, last + Math.min(longest, base * 2 ** (inARow - 1)) - monotonic);
}
