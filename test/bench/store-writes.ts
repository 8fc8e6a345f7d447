import { quantile, type Row } from "./measure.ts";
import { directoryFor, type StoreMeasure, together } from "./store-measure.ts";
import { type Rival, rivals, singleName, skiffName } from "./store-rivals.ts";
import { podKey, podValue } from "./store-values.ts";

const crowds = [1, 32, 256];
/** A pod is created and then changed three times, as it starts. */
const writesOfPod = 4;

interface Run {
  rate: number;
  times: number[];
  bytesEach: number;
}

/** Writes in a second, how long one takes and what it costs the disk: of Skiff's store and others in turn, so that all see the same machine. */
export const measureWrites: StoreMeasure = async ({ quick }) => {
  using directory = directoryFor("writes");
  const opened = new Map<string, Rival>(), runs = new Map<string, Run[]>();
  try {
    for (const [name, open] of Object.entries(rivals)) opened.set(name, await open(directory.path));
    for (const rival of opened.values()) await write(rival, 32, quick ? 0.3 : 1, "warm");
    for (let turn = 0; turn < (quick ? 1 : 5); turn++) {
      for (const writers of crowds) {
        // Each is the first now and then: what one leaves to the disk, the next may have to wait for.
        for (const [name, rival] of rotated([...opened], turn)) {
          const run = await write(rival, writers, quick ? 0.5 : 2, `${turn}-${writers}`), key = keyOf(name, writers);
          runs.set(key, [...(runs.get(key) ?? []), run]);
        }
      }
    }
  } finally {
    for (const rival of opened.values()) await rival.close();
  }
  return crowds.flatMap((writers) => rowsOf(writers, runs));
};

const rotated = <T>(all: readonly T[], by: number): T[] => [...all.slice(by % all.length), ...all.slice(0, by % all.length)];

const keyOf = (name: string, writers: number): string => `${name}, ${writers}`;

async function write(rival: Rival, writers: number, seconds: number, round: string): Promise<Run> {
  const times: number[] = [], written = rival.writtenBytes();
  const at = Array.from({ length: writers }, () => ({ turn: 0, pod: 0, revision: 0 }));
  const rate = await together(writers, seconds, async (writer) => {
    const mine = at[writer]!, name = `web-${round}-${writer}-${mine.pod}`, value = podValue(name, mine.turn), began = performance.now();
    mine.revision = await rival.write(podKey(name), value, mine.revision);
    times.push(performance.now() - began);
    if (++mine.turn === writesOfPod) at[writer] = { turn: 0, pod: mine.pod + 1, revision: 0 };
  });
  return { rate, times, bytesEach: (rival.writtenBytes() - written) / times.length };
}

function rowsOf(writers: number, runs: ReadonlyMap<string, readonly Run[]>): Row[] {
  const of = (name: string): readonly Run[] => runs.get(keyOf(name, writers))!;
  const crowd = writers === 1 ? "1 writer" : `${writers} writers`, names = Object.keys(rivals);
  return [
    ...names.map((name): Row => {
      const times = of(name).flatMap((run) => run.times);
      return { what: `${crowd}: ${name}`, values: of(name).map(({ rate }) => rate), unit: "writes/s", note: `p50 ${quantile(times, 0.5).toFixed(2)} ms, p99 ${quantile(times, 0.99).toFixed(2)} ms` };
    }),
    ...names.map((name): Row => ({ what: `${crowd}: ${name}, to the disk for each write`, values: of(name).map(({ bytesEach }) => bytesEach / 1000), unit: "kB", note: `an object is ${(podValue("web-0-32-7-9", 1).byteLength / 1000).toFixed(1)} kB` })),
    ...names.filter((name) => name !== skiffName).map((name): Row => ({ what: `${crowd}: Skiff's rate, of that of ${name === singleName ? "one transaction a write" : name}`, values: of(skiffName).map(({ rate }, run) => rate / of(name)[run]!.rate), unit: "times", note: "ratio of runs side by side" })),
  ];
}
