import type { Frozen } from "../../apimachinery/meta.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { finishedAt } from "./job-pods.ts";

/** A failed pod is replaced after 10 s; the next ones in a row after twice as long each, up to ten minutes. */
const base = 10_000, longest = 600_000;

/** The failures since the last success. */
export interface Failures {
  inARow: number;
  /** In milliseconds since the epoch. */
  last?: number;
}

export const noFailures: Failures = { inARow: 0 };

/** Takes in pods that have ended since. Times ahead of `now` are from before the clock was set back, and count as now. Source: newBackoffRecord. */
export function recordEnds({ inARow, last }: Failures, succeeded: readonly Frozen<Pod>[], failed: readonly Frozen<Pod>[], now: number): Failures {
  const failures = failed.map(finishedAt).filter((time) => succeeded.length === 0 || time > Math.max(...succeeded.map(finishedAt)));
  const before = succeeded.length === 0 ? inARow : 0;
  if (failures.length > 0) return { inARow: before + failures.length, last: Math.min(now, Math.max(...failures)) };
  return before === 0 || last === undefined ? noFailures : { inARow, last: Math.min(now, last) };
}

/** Milliseconds until the next pod may be made. */
export function remainingBackoff({ inARow, last }: Failures, now: number): number {
  if (inARow === 0 || last === undefined) return 0;
  return Math.max(0, Math.min(longest, base * 2 ** (inARow - 1)) - Math.max(0, now - last));
}
