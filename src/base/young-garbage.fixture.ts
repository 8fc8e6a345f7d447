// Prints how many bytes the heap has grown by when a burst was over of which little stays: with garbage collected beside it, and left to itself.
import { heapStats } from "bun:jsc";
import { youngGarbage } from "./young-garbage.ts";

function burst(arrived: (count: number) => void): number {
  Bun.gc(true);
  const before = heapStats().heapCapacity, kept: unknown[] = [];
  for (let round = 0; round < 2000; round++) {
    const made = JSON.parse(JSON.stringify(Array.from({ length: 200 }, (_, index) => ({ round, index })))) as unknown[];
    kept.push(made[0]);
    arrived(1);
  }
  return kept.length && heapStats().heapCapacity - before;
}

const collected = burst(youngGarbage({ every: 50 }));
process.stdout.write(JSON.stringify({ collected, left: burst(() => {}) }));
