import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Row } from "./measure.ts";

export interface StoreBenchOptions {
  /** Fewer repetitions, shorter runs: a rough look. */
  quick: boolean;
  /** The compiled program, where a whole server is measured. */
  executable: string;
  /** The user has had enough. */
  signal: AbortSignal;
}

/** Runs in a process of its own, whose directory for temporary files is its own too. */
export type StoreMeasure = (options: StoreBenchOptions) => Promise<Row[]>;

/** A directory of its own, gone with the scope. */
export function directoryFor(what: string): { path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), `skiff-bench-${what}-`));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** `workers` of them work one after another piece each until the time is over; says how many pieces there were in a second. */
export async function together(workers: number, seconds: number, work: (worker: number) => Promise<unknown>): Promise<number> {
  const began = performance.now(), end = began + seconds * 1000;
  let pieces = 0;
  await Promise.all(Array.from({ length: workers }, async (_, worker) => {
    for (; performance.now() < end; pieces++) await work(worker);
  }));
  return pieces * 1000 / (performance.now() - began);
}

/** Does `work` for each number below `count`, 256 at a time. */
export async function forAll(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: 256 }, async () => {
    while (next < count) await work(next++);
  }));
}

/** How long this process' event loop did not turn, in milliseconds, until `stop`; looked at with a timer of one millisecond. */
export function watchPauses(): { stop(): number[] } {
  const pauses: number[] = [];
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    pauses.push(Math.max(0, now - last - 1));
    last = now;
  }, 1);
  return {
    stop() {
      clearInterval(timer);
      return pauses;
    },
  };
}
