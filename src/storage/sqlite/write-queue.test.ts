import { expect, test } from "bun:test";
import { WriteQueue } from "./write-queue.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A queue over a disk that takes `fsyncMs` for a commit. */
function queueOver(fsyncMs: number) {
  const shown: number[] = [], commits: number[] = [];
  const queue = new WriteQueue({
    revision: 0, isDue: () => false, publish: (writes) => void shown.push(...writes.map(({ event }) => event.revision)),
    commit: async (writes) => {
      commits.push(writes.length);
      await Bun.sleep(fsyncMs);
    },
  });
  const put = (key: string): Promise<number> => {
    const command = { type: "put" as const, key, value: new Uint8Array() };
    return queue.push(command, command, false);
  };
  const renew = (key: string): Promise<number> => queue.push({ type: "put", key, value: new Uint8Array() }, undefined, true);
  return { queue, put, renew, shown, commits };
}

test("a large commit is shown whole, then answered a few writes in a turn of the event loop, in order", async () => {
  const { queue, put, shown } = queueOver(0);
  const answered: number[] = [], turns: number[] = [];
  let going = true;
  const writes = Array.from({ length: 32 }, async (_, i) => {
    answered.push(await put(`/k/${i}`));
    expect(shown).toHaveLength(32);
  });
  const counting = (async () => {
    for (; going; await turn()) turns.push(answered.length);
  })();
  await queue.drained();
  expect(answered).toHaveLength(32);
  going = false;
  await Promise.all([...writes, counting]);
  expect(answered).toEqual(shown);
  // Others had their turns meanwhile.
  expect(new Set(turns).size).toBeGreaterThan(10);
});

test("on a slow disk those who are answered share the next commit", async () => {
  const { put, commits } = queueOver(200);
  await Promise.all(Array.from({ length: 32 }, async (_, writer) => {
    for (let i = 0; i < 5; i++) await put(`/k/${writer}`);
  }));
  expect(commits.reduce((sum, writes) => sum + writes, 0)).toBe(5 * 32);
  // Two a round, if the first who are answered were not to wait for the last.
  expect(commits.length).toBeLessThan(9);
});

test("what need not wait for the disk doesn't, while a commit is under way or gathers; all is shown in order", async () => {
  const { put, renew, shown, commits } = queueOver(40);
  let going = true;
  await put("/leases/first");
  const writing = Promise.all(Array.from({ length: 32 }, async (_, writer) => {
    for (let i = 0; i < 10; i++) {
      await put(`/k/${writer}`);
      // What an answer costs: a commit gathers for some milliseconds.
      for (const end = performance.now() + 0.3; performance.now() < end;);
    }
  })).then(() => (going = false));
  const waited: number[] = [];
  while (going) {
    const before = commits.length;
    await renew("/leases/l");
    waited.push(commits.length - before);
    await Bun.sleep(3);
  }
  await writing;
  expect(shown).toEqual(shown.toSorted((a, b) => a - b));
  expect(new Set(shown).size).toBe(shown.length);
  expect(waited.length).toBeGreaterThan(50);
  // One in each gathering, if it had to wait for what gathers.
  expect(waited.filter((count) => count > 0).length).toBeLessThan(5);
});
