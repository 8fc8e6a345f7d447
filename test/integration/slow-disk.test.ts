import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { ApiConnection, type Credentials } from "../bench/api-connection.ts";
import { CrashServer, fromSource } from "../crash/crash-server.ts";
import { eventually } from "../support/eventually.ts";
import { TestDisk } from "../support/fuse/disk.ts";

setDefaultTimeout(120_000);

/** Far longer than anything else takes, so that whoever waits for it is told from who doesn't; cards take 20 to 100 ms. */
const fsyncMs = 500;
const maps = "/api/v1/namespaces/default/configmaps", leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";

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

const configMap = (name: string): string => JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { text: "x".repeat(500) } });
const lease = (name: string, number: number, resourceVersion?: string): string => JSON.stringify({ apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name, resourceVersion }, spec: { holderIdentity: "somebody", leaseDurationSeconds: 15, renewTime: `2026-01-01T00:00:00.${String(number).padStart(6, "0")}Z` } });

/** Asks on until `writing` is over; how long each answer took, sorted. */
async function timesOf(writing: Promise<unknown>, ask: (connection: ApiConnection) => Promise<number>, expected: number): Promise<number[]> {
  const connection = await ApiConnection.open(credentials), times: number[] = [];
  let over = false;
  void writing.then(() => (over = true));
  while (!over) {
    const began = performance.now();
    expect(await ask(connection)).toBe(expected);
    times.push(performance.now() - began);
    await Bun.sleep(5);
  }
  connection.close();
  return times.sort((a, b) => a - b);
}

/** `writers` connections create ConfigMaps one after another for some seconds. Returns how many were answered. */
async function write(writers: number, seconds: number): Promise<number> {
  const end = performance.now() + seconds * 1000;
  let written = 0;
  await Promise.all(Array.from({ length: writers }, async (_, writer) => {
    const connection = await ApiConnection.open(credentials);
    for (let i = 0; performance.now() < end; i++, written++) expect((await connection.request("POST", maps, configMap(`map-${writer}-${i}`))).status).toBe(201);
    connection.close();
  }));
  return written;
}

const fsyncsOfLog = async (): Promise<number> => (await disk.counters())["state.db-wal"]!.fsyncs;

/** Waits until the server has written all that it writes after its start. */
async function untilQuiet(): Promise<void> {
  let before = -1;
  await eventually(async () => {
    const now = await fsyncsOfLog();
    if (now !== before) throw new Error(`the server still writes, after ${(before = now)} commits`);
  }, { timeout: 30_000, interval: 700 });
}

const median = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length / 2)]!;

test("reads do not wait for a slow fsync, and writes that come together share one", async () => {
  await disk.setFaults({ fsyncMs });
  const before = await fsyncsOfLog(), writing = write(16, 5);
  const reads = await timesOf(writing, async (connection) => (await connection.request("GET", maps)).status, 200);
  const probes = await timesOf(Promise.resolve(), async (connection) => (await connection.request("GET", "/livez")).status, 200);
  expect(median([...reads, ...probes])).toBeLessThan(fsyncMs / 4);
  expect(await writing).toBeGreaterThan(4 * (await fsyncsOfLog() - before));
});

test("a watch is told of each write once it is durable, though others are on their way", async () => {
  const watching = new AbortController(), told = new Set<string>();
  const { port, ca, cert, key } = credentials;
  const response = await fetch(`https://localhost:${port}${maps}?watch=true`, { tls: { ca, cert, key }, signal: watching.signal });
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body!) for (const [, name] of decoder.decode(chunk, { stream: true }).matchAll(/"name":"(map-\d+-\d+)"/g)) told.add(name!);
  })().catch(() => undefined);
  await disk.setFaults({ fsyncMs });
  const written = await write(4, 3);
  await eventually(() => expect(told.size).toBe(written));
  watching.abort();
  await reading;
});

test("a Lease is renewed without the disk while nothing else is written, and beside writes", async () => {
  const connection = await ApiConnection.open(credentials);
  let { status, body } = await connection.request("POST", leases, lease("renewed", 0));
  expect(status).toBe(201);
  let number = 0;
  const renew = async (by: ApiConnection): Promise<number> => {
    const [, version] = /"resourceVersion":"(\d+)"/.exec(body.toString())!;
    ({ status, body } = await by.request("PUT", `${leases}/renewed`, lease("renewed", ++number, version)));
    return status;
  };
  await untilQuiet();
  await disk.setFaults({ fsyncMs });
  // The first one has the disk know that such a thing may be lost.
  expect(await renew(connection)).toBe(200);
  const before = await fsyncsOfLog();
  expect(median(await timesOf(Bun.sleep(2000), renew, 200))).toBeLessThan(fsyncMs / 4);
  expect(number).toBeGreaterThan(20);
  expect(await fsyncsOfLog()).toBeLessThan(before + 3);
  const busy = await timesOf(write(4, 4), renew, 200);
  expect(busy.length).toBeGreaterThan(4);
  connection.close();
});
