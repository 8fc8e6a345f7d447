import { join } from "node:path";
import { layoutOf } from "../../src/server/layout.ts";
import { sizeOf } from "../../src/storage/sqlite/file-figures.ts";
import { SqliteStorage } from "../../src/storage/sqlite/sqlite-storage.ts";
import { CrashServer } from "../crash/crash-server.ts";
import { ApiConnection, type Credentials } from "./api-connection.ts";
import type { Row } from "./measure.ts";
import { figuresOf } from "./process-figures.ts";
import { directoryFor, forAll, type StoreMeasure } from "./store-measure.ts";
import type { OpenFigures } from "./store-open.ts";
import { mapKey, mapValue } from "./store-values.ts";

/** A start with ever more objects, after a clean stop and after a crash: of the store alone (open, check, read all), and of a server until it has listed them. */
export const measureStoreStart: StoreMeasure = async ({ quick, executable }) => {
  const rows: Row[] = [], runs = quick ? 1 : 3;
  for (const objects of quick ? [1000, 10_000] : [1000, 10_000, 100_000]) {
    using directory = directoryFor("start");
    const dataDir = join(directory.path, "data"), path = layoutOf(dataDir).databaseFile, server = new CrashServer({ command: [executable], dataDir });
    try {
      await server.start();
      await server.stop();
      await fill(path, objects);
      const clean = await repeated(runs, () => openIn(path, "close"));
      await openIn(path, "kill");
      const crashed = await repeated(runs, () => openIn(path, "kill"));
      await openIn(path, "close");
      const served = await repeated(runs, () => startOf(server));
      const of = `${objects.toLocaleString("en-US")} objects`, mb = `${(sizeOf(path) / 1e6).toFixed(0)} MB of database`;
      rows.push(
        { what: `open and check after a clean stop, ${of}`, values: clean.map(({ open }) => open), unit: "ms", note: mb },
        { what: `open and check after a crash, ${of}`, values: crashed.map(({ open }) => open), unit: "ms" },
        { what: `read and decode all of it, ${of}`, values: [...clean, ...crashed].map(({ load }) => load), unit: "ms" },
        { what: `server ready, ${of}`, values: served.map(({ ready }) => ready), unit: "ms" },
        { what: `server has listed them, ${of}`, values: served.map(({ listed }) => listed), unit: "ms" },
        { what: `RSS of the server, ${of}`, values: served.map(({ residentMb }) => residentMb), unit: "MB", note: "control plane alone, just started" },
      );
    } finally {
      await server.dispose();
    }
  }
  return rows;
};

async function fill(path: string, objects: number): Promise<void> {
  const storage = await SqliteStorage.open({ path });
  await forAll(objects, (index) => storage.create(mapKey(index), mapValue(index, 0)));
  await storage.close();
}

async function repeated<T>(times: number, work: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  while (results.length < times) results.push(await work());
  return results;
}

async function openIn(path: string, end: "close" | "kill"): Promise<OpenFigures> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "store-open.ts"), path, end], { stdio: ["ignore", "pipe", "inherit"] });
  const text = await new Response(child.stdout).text();
  await child.exited;
  return JSON.parse(text) as OpenFigures;
}

async function startOf(server: CrashServer): Promise<{ ready: number; listed: number; residentMb: number }> {
  const began = performance.now(), credentials = await server.start(), ready = performance.now() - began;
  await listMaps(credentials);
  const listed = performance.now() - began;
  await Bun.sleep(1000);
  const { residentMb } = figuresOf(server.pid);
  await server.stop();
  return { ready, listed, residentMb };
}

/** Any list has the server read all of the resource. */
async function listMaps(credentials: Credentials): Promise<void> {
  const connection = await ApiConnection.open(credentials);
  const { status, body } = await connection.request("GET", "/api/v1/configmaps?limit=1");
  connection.close();
  if (status !== 200) throw new Error(`the server answered ${status}: ${body.toString()}`);
}
