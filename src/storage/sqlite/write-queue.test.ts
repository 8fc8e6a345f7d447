import { expect, test } from "bun:test";
import { WriteQueue } from "./write-queue.ts";

test("a large commit is shown whole, then answered a few writes in a turn of the event loop, in order", async () => {
  const shown: number[] = [], answered: number[] = [], turns: number[] = [];
  const queue = new WriteQueue({ revision: 0, isDue: () => false, commit: async () => undefined, publish: (writes) => void shown.push(...writes.map(({ event }) => event.revision)) });
  const writes = Array.from({ length: 32 }, async (_, i) => {
    const put = { type: "put" as const, key: `/k/${i}`, value: new Uint8Array() };
    answered.push(await queue.push(put, put, false));
    expect(shown).toHaveLength(32);
  });
  let going = true;
  const turn = (): void => {
    turns.push(answered.length);
    if (going) setImmediate(turn);
  };
  turn();
  await Promise.all(writes);
  going = false;
  expect(answered).toEqual(shown);
  // Others had their turns meanwhile.
  expect(new Set(turns).size).toBeGreaterThan(10);
  for (const [i, count] of turns.entries()) expect(count - (turns[i - 1] ?? 0)).toBeLessThanOrEqual(4);
});
