// `npm run bench:store`: what the store costs and bears, beside other ways to keep the same, as a table. `--quick` for a rough look, `--only writes,list` for some,
// `--executable FILE` for another compiled program than the one in dist/. `--only idle` takes a quarter of an hour and isn't run otherwise.
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { skiffExecutable } from "../support/skiff.ts";
import type { Row } from "./measure.ts";
import { measureCompaction } from "./store-compaction.ts";
import { measureStoreIdle } from "./store-idle.ts";
import { measureList } from "./store-list.ts";
import { directoryFor, type StoreMeasure } from "./store-measure.ts";
import { measureSlowDisk } from "./store-slow-disk.ts";
import { measureStoreStart } from "./store-start.ts";
import { measureStoreWatch } from "./store-watch.ts";
import { measureWrites } from "./store-writes.ts";
import { noteOf, printTable } from "./table.ts";

const measures: Record<string, StoreMeasure> = { writes: measureWrites, list: measureList, watch: measureStoreWatch, compaction: measureCompaction, slow: measureSlowDisk, start: measureStoreStart, idle: measureStoreIdle };
const usual = Object.keys(measures).filter((name) => name !== "idle");

const { values: { only, quick, executable } } = parseArgs({ options: { only: { type: "string" }, quick: { type: "boolean", default: false }, executable: { type: "string" } } });
const alone = process.env["SKIFF_BENCH_STORE"];

if (alone) {
  const interrupted = new AbortController();
  // Only what leaves more than files has to clean up after itself; the rest goes with the directory and the process group.
  if (alone === "idle") process.on("SIGTERM", () => interrupted.abort());
  const rows = await measures[alone]!({ quick, executable: executable ?? skiffExecutable(), signal: interrupted.signal });
  process.stdout.write(JSON.stringify(rows), () => process.exit());
} else {
  await measureAll(only?.split(",") ?? usual);
}

/** What fails is told and passed over. */
async function measureAll(names: readonly string[]): Promise<void> {
  const unknown = names.find((name) => !measures[name]);
  if (unknown !== undefined) throw new Error(`there is no measurement called ${unknown}: choose from ${Object.keys(measures).join(", ")}`);
  const rows: Row[] = [];
  for (const name of names) {
    const load = loadavg()[0]!.toFixed(1);
    process.stderr.write(`measuring ${name}, load ${load}…\n`);
    const { measured, interrupted } = await measureAlone(name);
    if (interrupted) return;
    rows.push(...measured.map((row) => ({ ...row, note: [noteOf(row), `load before ${load}`].filter(Boolean).join("; ") })));
  }
  process.stdout.write(printTable(rows));
}

/** Each in a process of its own, so that none pays for the memory of those before it. */
async function measureAlone(name: string): Promise<{ measured: Row[]; interrupted: boolean }> {
  using directory = directoryFor(name);
  const child = Bun.spawn([process.execPath, import.meta.path, ...process.argv.slice(2)], { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, SKIFF_BENCH_STORE: name, TMPDIR: directory.path }, detached: true });
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
    process.kill(-child.pid, "SIGTERM");
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, interrupt);
  const text = await new Response(child.stdout).text(), code = await child.exited;
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, interrupt);
  if (code === 0) return { measured: JSON.parse(text) as Row[], interrupted };
  process.exitCode = 1;
  process.stderr.write(`measuring ${name} failed\n`);
  return { measured: [], interrupted };
}
