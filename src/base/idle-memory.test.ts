import { expect, test } from "bun:test";
import { returnIdleMemory } from "./idle-memory.ts";

const MiB = 2 ** 20;

/** Runs through looks, each with the memory and the share of a core used before it; tells after which of them memory was given back. */
async function shrinksAfter(looks: readonly { rss: number; share?: number }[]): Promise<number[]> {
  const shrinks: number[] = [], unmapped: number[] = [];
  const stop = new AbortController();
  let now = 0, cpu = 0, look = -1;
  await returnIdleMemory({
    clock: {
      now: () => now,
      monotonic: () => now,
      async sleep(ms) {
        const isLook = ms === 20_000;
        if (isLook && ++look === looks.length) stop.abort();
        stop.signal.throwIfAborted();
        now += ms;
        if (!isLook) return;
        cpu += ms * (looks[look]!.share ?? 0.01);
      },
    },
    memory: { rss: () => looks[look]!.rss * MiB, cpu: () => cpu, shrink: () => shrinks.push(look), unmap: () => unmapped.push(look) },
  }, stop.signal);
  expect(unmapped).toEqual(shrinks);
  return shrinks;
}

test.each([
  ["at rest after the start", [{ rss: 100 }, { rss: 70 }, { rss: 75 }], [0]],
  ["not while it works", [{ rss: 100, share: 0.5 }, { rss: 120, share: 0.9 }, { rss: 120 }], [2]],
  ["after each burst", [{ rss: 100 }, { rss: 70 }, { rss: 130, share: 1 }, { rss: 130 }, { rss: 75 }, { rss: 84 }, { rss: 86 }], [0, 3, 6]],
  ["once only when what came stays in use", [{ rss: 100 }, { rss: 70 }, { rss: 130 }, { rss: 128 }, { rss: 129 }, { rss: 130 }], [0, 2]],
  ["measured from the lowest since, so that slow growth counts too", [{ rss: 100 }, { rss: 80 }, { rss: 60 }, { rss: 65 }, { rss: 71 }], [0, 4]],
])("memory is given back %s", async (_, looks, expected) => {
  expect(await shrinksAfter(looks)).toEqual(expected);
});

test("nothing is unmapped of a process that stops meanwhile", async () => {
  const calls: string[] = [], stop = new AbortController();
  let slept = 0;
  await returnIdleMemory({
    clock: {
      now: () => slept,
      monotonic: () => slept,
      async sleep(ms) {
        slept += ms;
        if (calls.length > 0) stop.abort();
        stop.signal.throwIfAborted();
      },
    },
    memory: { rss: () => 100 * MiB, cpu: () => 0, shrink: () => calls.push("shrink"), unmap: () => calls.push("unmap") },
  }, stop.signal);
  expect(calls).toEqual(["shrink"]);
});
