import type { NodeNetwork } from "../support/node-network.ts";

/** One line of the table. */
export interface Row {
  what: string;
  /** One value, or one for each repetition. */
  values: readonly number[];
  unit: string;
  /** Shown beside the median; the least and the largest value when nothing is said. */
  note?: string;
}

export interface BenchOptions {
  network: NodeNetwork;
  /** Fewer repetitions, shorter runs: a rough look. */
  quick: boolean;
}

export type Measure = (options: BenchOptions) => Promise<Row[]>;

/** The value below which `share` of all values lie; 0.5 is the median. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
