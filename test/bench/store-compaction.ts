import { probeDisk } from "./disk-probe.ts";
import { quantile, type Row } from "./measure.ts";
import { directoryFor, forAll, type StoreMeasure, watchPauses } from "./store-measure.ts";
import { type Engine, engines } from "./store-rivals.ts";
import { mapKey, mapValue } from "./store-values.ts";

const writesPerSecond = 1000;

/** Writes at a steady rate to a store of many objects, without compaction and beside it: what the event loop and the writers feel of it. */
export const measureCompaction: StoreMeasure = async ({ quick }) => {
  using directory = directoryFor("compaction");
  const rows: Row[] = [], objects = quick ? 10_000 : 100_000;
  for (const [name, open] of Object.entries(engines)) {
    const rival = await open(directory.path);
    try {
      rows.push(...await compactUnderLoad(name, rival, { directory: directory.path, objects, seconds: quick ? 3 : 12 }));
    } finally {
      await rival.close();
    }
  }
  return rows;
};

async function compactUnderLoad(name: string, rival: Engine, { directory, objects, seconds }: { directory: string; objects: number; seconds: number }): Promise<Row[]> {
  const storage = rival.storage, revisions: number[] = [];
  const write = async (index: number, turn: number): Promise<void> => {
    revisions[index] = await rival.write(mapKey(index), mapValue(index, turn), revisions[index] ?? 0);
  };
  await forAll(objects, (index) => write(index, 0));
  const steady = (): Promise<Load> => steadyWrites({ directory, seconds, objects, write });
  const alone = await steady();
  // What gathers in half a minute at this rate, as long as a server waits between two compactions.
  await forAll(writesPerSecond * 30, (index) => write((index * 7919) % objects, 1));
  const backlog = storage.revision - storage.compactedRevision, began = performance.now();
  let compactedMs = 0;
  const compacting = (async () => {
    await storage.compact(storage.revision);
    compactedMs = performance.now() - began;
    // And what is written meanwhile, again and again: never is there a moment without.
    while (performance.now() < began + (seconds - 1) * 1000) {
      await Bun.sleep(250);
      await storage.compact(storage.revision);
    }
  })();
  const beside = await steady();
  await compacting;
  const of = `${objects.toLocaleString("en-US")} objects, ${writesPerSecond.toLocaleString("en-US")} writes/s: ${name}`;
  const both = (what: string, figure: (load: Load) => number): Row[] => [
    { what: `${what} beside compaction, ${of}`, values: [figure(beside)], unit: "ms", note: `${figure(alone).toFixed(1)} ms without it` },
  ];
  return [
    ...both("longest pause of the event loop", ({ pauses }) => Math.max(...pauses)),
    ...both("pause of the event loop, p99.9", ({ pauses }) => quantile(pauses, 0.999)),
    ...both("longest write", ({ times }) => Math.max(...times)),
    ...both("write, p99", ({ times }) => quantile(times, 0.99)),
    ...both("longest fsync of a page in another file", ({ disk }) => Math.max(...disk)),
    { what: `compaction of the first ${Math.round(backlog / 1000)} thousand revisions, ${of}`, values: [compactedMs], unit: "ms", note: `${beside.rate.toFixed(0)} writes/s meanwhile, ${alone.rate.toFixed(0)} without it` },
  ];
}

interface Load {
  times: number[];
  pauses: number[];
  /** What the disk took, meanwhile, for a page of another file. */
  disk: number[];
  rate: number;
}

/** Writes when they are due, however long the ones before take; each key is written by one at a time. */
async function steadyWrites({ directory, seconds, objects, write }: { directory: string; seconds: number; objects: number; write(index: number, turn: number): Promise<void> }): Promise<Load> {
  const times: number[] = [], busy = new Set<number>(), underWay = new Set<Promise<void>>(), watching = watchPauses();
  const probe = probeDisk(directory), began = performance.now();
  let due = 0;
  for (let elapsed = 0; elapsed < seconds * 1000; elapsed = performance.now() - began) {
    for (; due < elapsed * writesPerSecond / 1000; due++) {
      const index = (due * 7919 + Math.floor(began)) % objects;
      if (busy.has(index)) continue;
      busy.add(index);
      const asked = performance.now();
      const writing: Promise<void> = write(index, due + 2).then(() => {
        times.push(performance.now() - asked);
        busy.delete(index);
        underWay.delete(writing);
      });
      underWay.add(writing);
    }
    await Bun.sleep(2);
  }
  const rate = times.length / seconds;
  await Promise.all(underWay);
  return { times, pauses: watching.stop(), disk: await probe.stop(), rate };
}
