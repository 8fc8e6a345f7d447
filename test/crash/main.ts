// `npm run crash -- [--rounds N] [--seed N] [--lies]`: ends a real server at random, on a disk that forgets what was not fsynced, and checks that nothing answered is lost.
import { parseArgs } from "node:util";
import { skiffExecutable } from "../support/skiff.ts";
import { runCrashes, type CrashReport } from "./crash-run.ts";
import { runFirstStarts } from "./first-starts.ts";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "1000" }, seed: { type: "string" }, lies: { type: "boolean", default: false }, executable: { type: "string" } } });
const rounds = Number(values.rounds), seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31)), executable = values.executable ?? skiffExecutable();
/** New clusters cost more time than rounds, and have fewer ways to go wrong. */
const clusters = values.lies ? 0 : Math.ceil(rounds / 25);
const say = (text: string): boolean => process.stdout.write(`${text}\n`);

say(`${rounds} rounds and ${clusters} first starts with --seed ${seed}`);
const stopped = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopped.abort());
const began = performance.now();
const report = await runCrashes({ executable, rounds, seed, lies: values.lies, signal: stopped.signal, progress: (so) => so.rounds % 50 === 0 && say(line(so)) });
say(line(report));
const { violations } = report;
say(violations.length === 0 ? "Nothing was lost, and nothing contradicts itself." : `${violations.length} violations in round ${report.rounds}:\n${violations.slice(0, 50).join("\n")}`);
const first = stopped.signal.aborted ? { clusters: 0, powerCuts: 0, failures: [] } : await runFirstStarts({ executable, clusters, seed });
say(`${first.clusters} new clusters, with ${first.powerCuts} power cuts amid their first starts: ${first.failures.length === 0 ? "all have started in the end" : `${first.failures.length} did not start:\n${first.failures.join("\n")}`}`);
process.exit(violations.length + first.failures.length === 0 ? 0 : 1);

function line({ rounds: done, kills, powerCuts, stops, amidStart, acknowledged, unanswered, kept, events, relists, slowestStartMs }: CrashReport): string {
  return `${done} rounds in ${((performance.now() - began) / 1000).toFixed(0)} s: ${kills} kills, ${powerCuts} power cuts, ${stops} stops (${amidStart} amid a start); ${acknowledged} writes acknowledged, ${unanswered} unanswered (${kept} of them kept); ${events} events watched, ${relists.configmaps} relists of ConfigMaps and ${relists.leases} of Leases; slowest start ${slowestStartMs.toFixed(0)} ms`;
}
