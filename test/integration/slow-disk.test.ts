import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { ApiConnection, type Credentials } from "../bench/api-connection.ts";
import { quantile } from "../bench/measure.ts";
import { CrashServer, fromSource } from "../crash/crash-server.ts";
import { createMaps, mapsPath, read, renewedLease, timesDuring } from "../crash/slow-disk.ts";
import { eventually } from "../support/eventually.ts";
import { TestDisk } from "../support/fuse/disk.ts";

setDefaultTimeout(180_000);

/** Far longer than anything else takes, so that whoever waits for it is told from who doesn't; cards take 20 to 100 ms. */
const fsyncMs = 500;

let disk: TestDisk;
let server: CrashServer;
let credentials: Credentials;
beforeEach(async () => {
  disk = await TestDisk.mount();
  server = new CrashServer({ command: fromSource, dataDir: `${disk.path}/data` });
  credentials = await server.start();
});
afterEach(async () => {
  await server.dispose();
  await disk.dispose();
});

const fsyncsOfLog = async (): Promise<number> => (await disk.counters())["state.db-wal"]?.fsyncs ?? 0;

/** Waits until the server has written all that it writes after its start. */
async function untilQuiet(): Promise<void> {
  let before = -1;
  await eventually(async () => {
    const now = await fsyncsOfLog();
    if (now !== before) throw new Error(`the server still writes, after ${(before = now)} commits`);
  }, { timeout: 60_000, interval: 700 });
}

test("reads do not wait for a slow fsync, nor does the thread that serves; writes that come together share one", async () => {
  await untilQuiet();
  await disk.setFaults({ fsyncMs });
  await disk.forgetCounters();
  const writing = createMaps(credentials, "map", 16, 5);
  const [reads, probes] = await Promise.all([timesDuring(writing, credentials, read(mapsPath)), timesDuring(writing, credentials, read("/livez"))]);
  for (const times of [reads, probes]) expect(quantile(times, 0.5)).toBeLessThan(fsyncMs / 4);
  const files = Object.entries(await disk.counters());
  expect(files.map(([name]) => name)).toContain("state.db-wal");
  expect(files.filter(([, { threads }]) => threads.includes(server.pid))).toEqual([]);
  expect(await writing).toBeGreaterThan(4 * await fsyncsOfLog());
});

test("a watch is told of each write", async () => {
  const watching = new AbortController(), told = new Set<string>();
  const { port, ca, cert, key } = credentials;
  const response = await fetch(`https://localhost:${port}${mapsPath}?watch=true`, { tls: { ca, cert, key }, signal: watching.signal });
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body!) for (const [, name] of decoder.decode(chunk, { stream: true }).matchAll(/"name":"(map-\d+-\d+)"/g)) told.add(name!);
  })().catch(() => undefined);
  await disk.setFaults({ fsyncMs });
  const written = await createMaps(credentials, "map", 4, 3);
  await eventually(() => expect(told.size).toBe(written));
  watching.abort();
  await reading;
});

test("a Lease is renewed without the disk while nothing else is written, and goes on being renewed beside writes", async () => {
  const renew = await renewedLease(credentials, "renewed");
  await untilQuiet();
  await disk.setFaults({ fsyncMs });
  const connection = await ApiConnection.open(credentials);
  // The first one has the disk know that such a thing may be lost.
  await renew(connection);
  connection.close();
  const before = await fsyncsOfLog(), alone = await timesDuring(Bun.sleep(3000), credentials, renew);
  // Each after an fsync would be six.
  expect(alone.length).toBeGreaterThan(12);
  expect(quantile(alone, 0.5)).toBeLessThan(fsyncMs / 4);
  expect(await fsyncsOfLog()).toBeLessThan(before + 3);
  const beside = await timesDuring(createMaps(credentials, "map", 4, 4), credentials, renew);
  expect(beside.length).toBeGreaterThan(4);
});
