// `npm run crash -- [--rounds N] [--seed N] [--lies]`: ends a real server at random, on a disk that forgets what was not fsynced, and checks that nothing answered is lost.
import { parseArgs } from "node:util";
import { skiffExecutable } from "../support/skiff.ts";
import { runCrashes, type CrashReport } from "./crash-run.ts";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "1000" }, seed: { type: "string" }, lies: { type: "boolean", default: false }, executable: { type: "string" } } });
const rounds = Number(values.rounds), seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
process.stdout.write(`${rounds} rounds with --seed ${seed}\n`);
const stopped = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopped.abort());
const began = performance.now();
const report = await runCrashes({ executable: values.executable ?? skiffExecutable(), rounds, seed, lies: values.lies, signal: stopped.signal, progress: (so) => so.rounds % 50 === 0 && process.stdout.write(`${line(so)}\n`) });
process.stdout.write(`${line(report)}\n${report.violations.length === 0 ? "Nothing was lost, and nothing contradicts itself.\n" : `${report.violations.length} violations in round ${report.rounds}:\n${report.violations.slice(0, 50).join("\n")}\n`}`);
process.exit(report.violations.length === 0 ? 0 : 1);

function line({ rounds: done, kills, powerCuts, stops, amidStart, acknowledged, unanswered, kept, events, relists, slowestStartMs }: CrashReport): string {
  return `${done} rounds in ${((performance.now() - began) / 1000).toFixed(0)} s: ${kills} kills, ${powerCuts} power cuts, ${stops} stops (${amidStart} amid a start); ${acknowledged} writes acknowledged, ${unanswered} unanswered (${kept} of them kept); ${events} events watched, ${relists.configmaps} relists of ConfigMaps and ${relists.leases} of Leases; slowest start ${slowestStartMs.toFixed(0)} ms`;
}
