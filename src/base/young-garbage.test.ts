import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import { youngGarbage } from "./young-garbage.ts";

test("collects after each so many, however they come", () => {
  let collections = 0;
  const arrived = youngGarbage({ every: 10, collect: () => collections++ });
  const after = [4, 5, 1, 9, 0, 30, 9, 1].map((count) => {
    arrived(count);
    return collections;
  });
  expect(after).toEqual([0, 0, 1, 1, 1, 2, 2, 3]);
});

test("what stays of a burst doesn't make the heap grow with the garbage beside it", () => {
  const burst = (arrived: (count: number) => void): number => {
    Bun.gc(true);
    const before = heapStats().heapCapacity, kept: object[] = [];
    for (let round = 0; round < 2000; round++) {
      const made = JSON.parse(JSON.stringify(Array.from({ length: 200 }, (_, index) => ({ round, index })))) as object[];
      kept.push(made[0]!);
      arrived(1);
    }
    expect(kept).toHaveLength(2000);
    return heapStats().heapCapacity - before;
  };
  expect(burst(youngGarbage({ every: 50 }))).toBeLessThan(burst(() => {}) / 2);
});
