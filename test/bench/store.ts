// `npm run bench:store`: what the store costs and bears, beside other ways to keep the same, as a table. `--quick` for a rough look, `--only writes,list` for some,
// `--executable FILE` for another compiled program than the one in dist/. `--only idle` takes a quarter of an hour and isn't run otherwise.
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { skiffExecutable } from "../support/skiff.ts";
import type { Row } from "./measure.ts";
import { measureCompaction } from "./store-compaction.ts";
import { measureStoreIdle } from "./store-idle.ts";
import { measureList } from "./store-list.ts";
import type { StoreMeasure } from "./store-measure.ts";
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
  const rows = await measures[alone]!({ quick, executable: executable ?? skiffExecutable() });
  process.stdout.write(JSON.stringify(rows), () => process.exit());
} else {
  await measureAll(only?.split(",") ?? usual);
}

/** Each in a process of its own, so that none pays for the memory of those before it. */
async function measureAll(names: readonly string[]): Promise<void> {
  const unknown = names.find((name) => !measures[name]);
  if (unknown !== undefined) throw new Error(`there is no measurement called ${unknown}: choose from ${Object.keys(measures).join(", ")}`);
  const rows: Row[] = [];
  for (const name of names) {
    const load = loadavg()[0]!.toFixed(1);
    process.stderr.write(`measuring ${name}, load ${load}…\n`);
    rows.push(...(await measureAlone(name)).map((row) => ({ ...row, note: [noteOf(row), `load before ${load}`].filter(Boolean).join("; ") })));
  }
  process.stdout.write(printTable(rows));
}

async function measureAlone(name: string): Promise<Row[]> {
  const child = Bun.spawn([process.execPath, import.meta.path, ...process.argv.slice(2)], { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, SKIFF_BENCH_STORE: name } });
  const interrupt = (): void => child.kill("SIGINT");
  process.once("SIGINT", interrupt);
  const text = await new Response(child.stdout).text();
  process.off("SIGINT", interrupt);
  if (await child.exited !== 0) throw new Error(`measuring ${name} failed`);
  return JSON.parse(text) as Row[];
}
