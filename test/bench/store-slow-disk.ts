import { CrashServer } from "../crash/crash-server.ts";
import { createMaps, mapsPath, read, renewedLease, timesDuring } from "../crash/slow-disk.ts";
import { TestDisk } from "../support/fuse/disk.ts";
import { quantile, type Row } from "./measure.ts";
import { forAll, type StoreMeasure, together, watchPauses } from "./store-measure.ts";
import { type Engine, engines } from "./store-rivals.ts";
import { podKey, podsPrefix, podValue } from "./store-values.ts";

const fsyncMs = 50;
const writers = 32;
const objects = 500;

/** Reads, renewals and the event loop while 32 writers wait for a disk on which an fsync takes 50 ms, as on an SD card: of the store, and of a whole server over HTTP. */
export const measureSlowDisk: StoreMeasure = async ({ quick, executable }) => {
  const rows: Row[] = [], seconds = quick ? 2 : 10;
  for (const [name, open] of Object.entries(engines)) {
    const disk = await TestDisk.mount();
    try {
      const rival = await open(disk.path);
      try {
        rows.push(...await measureStore(name, rival, disk, seconds));
      } finally {
        await disk.setFaults({});
        await rival.close();
      }
    } finally {
      await disk.dispose();
    }
  }
  return [...rows, ...await measureServer(executable, seconds)];
};

async function measureStore(name: string, rival: Engine, disk: TestDisk, seconds: number): Promise<Row[]> {
  const { storage } = rival;
  await forAll(objects, (index) => rival.write(podKey(`web-${index}`), podValue(`web-${index}`, 0), 0));
  await disk.setFaults({ fsyncMs });
  const gets: number[] = [], lists: number[] = [], renewals: number[] = [], writes: number[] = [];
  const timing = async (times: number[], restMs: number, ask: () => Promise<unknown>): Promise<void> => {
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) {
      const began = performance.now();
      await ask();
      times.push(performance.now() - began);
      await Bun.sleep(restMs);
    }
  };
  let revision = await rival.write("/registry/coordination.k8s.io/leases/bench/lease", podValue("lease", 0), 0), turn = 0;
  const watching = watchPauses(), revisions: number[] = [];
  const [rate] = await Promise.all([
    together(writers, seconds, async (writer) => {
      const began = performance.now();
      revisions[writer] = await rival.write(podKey(`busy-${writer}`), podValue(`busy-${writer}`, writes.length), revisions[writer] ?? 0);
      writes.push(performance.now() - began);
    }),
    timing(gets, 2, () => storage.get(podKey(`web-${gets.length % objects}`))),
    timing(lists, 50, () => storage.list(podsPrefix, { limit: 500 })),
    timing(renewals, 5, async () => void (revision = await storage.update("/registry/coordination.k8s.io/leases/bench/lease", revision, podValue("lease", ++turn), { volatile: true }))),
  ]);
  const pauses = watching.stop();
  return [
    row(`read of a key, ${where(name)}`, gets),
    row(`list of 500, ${where(name)}`, lists),
    row(`renewal of a Lease, ${where(name)}`, renewals),
    { ...row(`write, ${where(name)}`, writes), note: `${tail(writes)}; ${rate.toFixed(0)} writes/s` },
    { what: `longest pause of the event loop, ${where(name)}`, values: [Math.max(...pauses)], unit: "ms" },
  ];
}

const where = (name: string): string => `fsync ${fsyncMs} ms, ${writers} writers: ${name}`;
const tail = (times: readonly number[]): string => `p99 ${quantile(times, 0.99).toFixed(1)} ms, longest ${Math.max(...times).toFixed(1)} ms`;
const row = (what: string, times: readonly number[]): Row => ({ what, values: [quantile(times, 0.5)], unit: "ms", note: tail(times) });

async function measureServer(executable: string, seconds: number): Promise<Row[]> {
  const disk = await TestDisk.mount(), server = new CrashServer({ command: [executable], dataDir: `${disk.path}/data` });
  try {
    const credentials = await server.start(), renew = await renewedLease(credentials, "renewed");
    await createMaps(credentials, "first", 8, 1);
    await disk.setFaults({ fsyncMs });
    await disk.forgetCounters();
    const writing = createMaps(credentials, "slow", writers, seconds);
    const [reads, probes, renewals] = await Promise.all([read(`${mapsPath}/first-0-0`), read("/livez"), renew].map((ask) => timesDuring(writing, credentials, ask)));
    const fsyncs = (await disk.counters())["state.db-wal"]?.fsyncs ?? 0, name = "a server, over HTTPS";
    return [
      row(`read of an object, ${where(name)}`, reads!), row(`/livez, ${where(name)}`, probes!), row(`renewal of a Lease, ${where(name)}`, renewals!),
      { what: `ConfigMaps created, ${where(name)}`, values: [await writing / seconds], unit: "writes/s", note: `${(fsyncs / seconds).toFixed(0)} fsyncs/s` },
    ];
  } finally {
    await server.dispose();
    await disk.dispose();
  }
}
