// `npm run crash -- [--rounds N] [--seed N] [--lies] [--executable FILE]`: ends a real server at random, on a disk that forgets what was not
// fsynced, and checks that nothing answered is lost; then the storage engine alone, which has more rounds in less time, and first starts.
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { skiffExecutable } from "../support/skiff.ts";
import { runCrashes, type CrashReport } from "./crash-run.ts";
import { type EngineReport, runEngineCrashes } from "./engine-run.ts";
import { runFirstStarts } from "./first-starts.ts";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "1000" }, seed: { type: "string" }, lies: { type: "boolean", default: false }, executable: { type: "string" } } });
const rounds = Number(values.rounds), seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31)), executable = values.executable ?? skiffExecutable();
/** Of the engine alone; each of its databases lives through so many. */
const engineRounds = 2 * rounds, engineLife = 50;
/** New clusters cost more time than rounds, and have fewer ways to go wrong. */
const clusters = Math.ceil(rounds / 25);
const say = (text: string): boolean => process.stdout.write(`${text}\n`);

say(`${rounds} rounds of a server, ${engineRounds} of the engine, ${clusters} first starts, with --seed ${seed}`);
const stopped = new AbortController(), { signal } = stopped;
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stopped.abort());
const began = performance.now();
const complaints: string[] = [];
/** Tells how a part went; those after one with complaints don't run. */
function judge(text: string, found: readonly string[]): void {
  complaints.push(...found);
  say(`${text}\n${found.length === 0 ? "Nothing was lost, and nothing contradicts itself." : found.slice(0, 50).join("\n")}`);
}
/** What is left of a server or a database that has lost something. */
const evidence = join(tmpdir(), `skiff-crash-evidence-${seed}`);
const goesOn = (): boolean => complaints.length === 0 && !signal.aborted;

const report = await runCrashes({ executable, rounds, seed, lies: values.lies, signal, evidence, progress: (so) => void (so.rounds % 50 === 0 && so.rounds < rounds && say(line(so))) });
judge(line(report), report.violations);
for (let life = 0; life * engineLife < engineRounds && goesOn(); life++) {
  const engine = await runEngineCrashes({ rounds: Math.min(engineLife, engineRounds - life * engineLife), seed: seed + life, lies: values.lies, signal, evidence });
  judge(engineLine(life + 1, engine), engine.violations);
}
if (goesOn()) {
  const first = await runFirstStarts({ executable, clusters, seed });
  judge(`${first.clusters} new clusters, with ${first.powerCuts} power cuts amid their first starts`, first.failures);
}
if (complaints.length > 0 && existsSync(evidence)) say(`The files are in ${evidence}`);
process.exit(complaints.length === 0 ? 0 : 1);

function engineLine(life: number, { rounds: done, kills, powerCuts, closes, full, acknowledged, unanswered, events, compacted }: EngineReport): string {
  return `database ${life}: ${done} rounds, ${kills} kills, ${powerCuts} power cuts, ${closes} closed; ${acknowledged} writes acknowledged, ${unanswered} unanswered, ${full} refused by a full disk; ${events} events watched, ${compacted} watches from what was compacted`;
}

function line({ rounds: done, kills, powerCuts, stops, amidStart, acknowledged, unanswered, kept, events, relists, slowestStartMs }: CrashReport): string {
  return `${done} rounds in ${((performance.now() - began) / 1000).toFixed(0)} s: ${kills} kills, ${powerCuts} power cuts, ${stops} stops (${amidStart} amid a start); ${acknowledged} writes acknowledged, ${unanswered} unanswered (${kept} of them kept); ${events} events watched, ${relists.configmaps} relists of ConfigMaps and ${relists.leases} of Leases; slowest start ${slowestStartMs.toFixed(0)} ms`;
}
