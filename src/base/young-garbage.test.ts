import { expect, test } from "bun:test";
import { join } from "node:path";
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
  // In a process of its own: the heap of this one has room from other tests.
  const { stdout } = Bun.spawnSync([process.execPath, join(import.meta.dir, "young-garbage.fixture.ts")]);
  const { collected, left } = JSON.parse(stdout.toString()) as { collected: number; left: number };
  expect(left).toBeGreaterThan(0);
  expect(collected).toBeLessThan(left / 2);
});
