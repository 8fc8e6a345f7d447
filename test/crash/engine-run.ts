import { cpSync } from "node:fs";
import { join } from "node:path";
import { TestDisk } from "../support/fuse/disk.ts";
import { type Random, randomOf } from "../support/fuse/random.ts";
import { type EngineEvent, type EngineOrders, type EngineSays, type EngineState, eventsPrefix, leasesPrefix, mapsPrefix, valueOf } from "./engine-process.ts";
import { type Attempt, type Key, Ledger, type Seen } from "./ledger.ts";

export interface EngineReport {
  rounds: number;
  kills: number;
  powerCuts: number;
  closes: number;
  /** Writes that a full disk has refused. */
  full: number;
  acknowledged: number;
  unanswered: number;
  events: number;
  /** Watches that could not go on from where they were. */
  compacted: number;
  violations: readonly string[];
}

/** What a watcher of a prefix believes: which keys are there, at which revisions. */
interface View {
  readonly prefix: string;
  states: Map<Key, number>;
  /** Of the last event it was told. */
  revision: number;
  /** Revisions that it was told since it was last looked at, and the one from which on it was told all. */
  told: Set<number>;
  toldFrom: number;
  /** The last start's state, until it has got there. */
  toReach?: { states: Map<Key, number>; revision: number };
}

interface EngineRound {
  lines: EngineSays[];
  /** What it has written to standard error. */
  complaint: string;
  /** The disk was about full, or failed for a moment. */
  ailing: boolean;
  ending: "cut" | "kill" | "close";
}

const prefixes = [mapsPrefix, leasesPrefix, eventsPrefix];
const longestRoundMs = 400;
/** Of the rounds, those that may end before it is open. */
const amidOpenShare = 0.25;

/**
 * The storage engine alone, in a process that is ended at random, power cuts for the most part. Many more ways to go wrong than a whole
 * server has in the same time, compaction among them.
 */
export async function runEngineCrashes({ rounds, seed, lies = false, signal, evidence }: { rounds: number; seed: number; lies?: boolean; signal?: AbortSignal; /** Where to put the files when there are violations. */ evidence?: string }): Promise<EngineReport> {
  const random = randomOf(seed), disk = await TestDisk.mount(), ledger = new Ledger();
  const views = prefixes.map((prefix): View => ({ prefix, states: new Map(), revision: 0, told: new Set(), toldFrom: 0 }));
  let answered: { key: Key; revision: number }[] = [];
  const report: EngineReport = { rounds: 0, kills: 0, powerCuts: 0, closes: 0, full: 0, acknowledged: 0, unanswered: 0, events: 0, compacted: 0, violations: ledger.violations };
  try {
    await disk.setFaults({ lies });
    while (report.rounds < rounds && ledger.violations.length === 0 && !signal?.aborted) {
      report.rounds++;
      const orders: EngineOrders = { path: `${disk.path}/db/state.db`, seed: random.below(2 ** 31), firstNumber: ledger.attempts.size + 1, watches: views.map(({ prefix, revision }) => ({ prefix, ...(revision > 0 ? { from: revision } : {}) })) };
      // Those of the round before: now they have to be there.
      answered = ledger.takeAnswered();
      judge(await oneRound(orders, random));
      Object.assign(report, { acknowledged: ledger.acknowledged, unanswered: ledger.unanswered });
    }
    if (evidence && ledger.violations.length > 0) cpSync(disk.path, evidence, { recursive: true });
    return report;
  } finally {
    await disk.dispose();
  }

  /** Runs it and ends it. Returns all it said. */
  async function oneRound(orders: EngineOrders, choose: Random): Promise<EngineRound> {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "engine-process.ts"), JSON.stringify(orders)], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const { began, said } = listen(child);
    const unwell = ail(choose), kind = choose.next(), afterMs = choose.below(longestRoundMs);
    if (!choose.chance(amidOpenShare)) await began;
    if (kind < 0.7) {
      report.powerCuts++;
      const lost = Promise.withResolvers<void>();
      await disk.powerOffAfter(1 + choose.below(choose.pick([30, 300, 2000])), lost.resolve);
      await Promise.race([lost.promise, child.exited, Bun.sleep(afterMs)]);
      await disk.powerOff();
      child.kill("SIGKILL");
      await child.exited;
      await disk.remount({ seed: choose.chance(0.6) ? choose.below(2 ** 31) : undefined });
    } else {
      await Promise.race([child.exited, Bun.sleep(afterMs)]);
      child.kill(kind < 0.9 ? "SIGKILL" : "SIGTERM");
      await child.exited;
      if (kind < 0.9) report.kills++;
      else report.closes++;
    }
    const ailing = await unwell;
    await disk.setFaults({ lies });
    const { out, complaint } = await said;
    const lines = out.split("\n").slice(0, -1).map((line) => JSON.parse(line) as EngineSays);
    return { lines, complaint, ailing, ending: kind < 0.7 ? "cut" : kind < 0.9 ? "kill" : "close" };
  }

  /** Some rounds are on a disk that is about full, or fails for a moment: true for these. */
  async function ail(choose: Random): Promise<boolean> {
    const kind = choose.next();
    if (kind < 0.15) {
      await disk.setFaults({ lies, capacity: await disk.usedBytes() + choose.below(300_000) });
    } else if (kind < 0.3) {
      await Bun.sleep(choose.below(longestRoundMs));
      await disk.setFaults({ lies, fail: { [choose.pick(["write", "fsync"])]: "EIO" } });
      await Bun.sleep(choose.below(50));
      await disk.setFaults({ lies });
    }
    return kind < 0.3;
  }

  function judge({ lines, complaint, ailing, ending }: EngineRound): void {
    // When the power goes, or the disk is full or fails, it may die of that; but it has to find its file whole.
    const excused = ailing && /code: "(full|io)"|ENOSPC|EIO/.test(complaint);
    if (lines.length === 0 && complaint && (ending !== "cut" || /code: "(corrupt|foreign)"/.test(complaint)) && !excused) ledger.violate(`the engine did not start: ${complaint}`);
    if (ending === "close" && lines.length > 0 && lines.at(-1)!.type !== "closed" && !excused) ledger.violate(`the engine did not close: ${complaint}`);
    for (const line of lines) hear(line);
  }

  function hear(line: EngineSays): void {
    switch (line.type) {
      case "opened": return opened(line);
      case "begin": return void ledger.begin({ key: line.key, type: line.write, volatile: line.volatile, expected: line.expected, content: "whole" });
      case "done": return done(ledger.attempts.get(line.number)!, line.revision);
      case "refused": return refused(ledger.attempts.get(line.number)!, line);
      case "told": return told(viewOf(line.prefix), line);
      case "compacted": return relisted(viewOf(line.prefix), line);
      case "closed": return;
    }
  }

  function viewOf(prefix: string): View {
    return views.find((view) => view.prefix === prefix)!;
  }

  function opened({ revision, states }: { revision: number; states: readonly EngineState[] }): void {
    ledger.recovered(new Map(states.map((state) => [state.key, seenIn(state)])), revision);
    for (const view of views) {
      view.toReach = { revision, states: revisionsOf(states, view.prefix) };
      if (view.revision === 0) Object.assign(view, { revision, toldFrom: revision, states: new Map(view.toReach.states) });
    }
  }

  function done(attempt: Attempt, revision: number): void {
    if (attempt.type !== "delete") return ledger.acknowledge(attempt, revision);
    ledger.acknowledge(attempt);
    ledger.saw({ key: attempt.key, revision, volatile: attempt.volatile });
  }

  function refused(attempt: Attempt, { full, why }: { full: boolean; why: string }): void {
    ledger.refuse(attempt);
    if (full) report.full++;
    else ledger.violate(`${attempt.key}: its only writer was refused: ${why}`);
  }

  function told(view: View, { events, reached }: { events: readonly EngineEvent[]; reached: number }): void {
    for (const event of events) {
      if (event.revision > (view.toReach?.revision ?? Infinity)) compare(view);
      hearEvent(view, event);
    }
    if (reached >= (view.toReach?.revision ?? Infinity)) compare(view);
  }

  function hearEvent(view: View, event: EngineEvent): void {
    const { type, key, revision, previousRevision } = event;
    report.events++;
    if (revision <= view.revision) ledger.violate(`a watch of ${view.prefix} is told of revision ${revision} after ${view.revision}`);
    if (previousRevision !== view.states.get(key)) ledger.violate(`a watch of ${view.prefix} is told at revision ${revision} that ${key} was at ${previousRevision}, and has been told of ${view.states.get(key)}`);
    view.revision = revision;
    view.told.add(revision);
    if (type === "put") view.states.set(key, revision);
    else view.states.delete(key);
    ledger.saw(type === "put" ? seenIn(event) : { key, revision, volatile: key.startsWith(eventsPrefix) });
  }

  /** A watch that has caught up with a start believes what was there then, and has been told of every write that was answered before. */
  function compare(view: View): void {
    const { states, revision } = view.toReach!;
    view.toReach = undefined;
    for (const key of new Set([...states.keys(), ...view.states.keys()])) {
      if (states.get(key) !== view.states.get(key)) ledger.violate(`a watch of ${view.prefix} believes at revision ${revision} that ${key} is at ${view.states.get(key)}, and it is at ${states.get(key)}`);
    }
    for (const write of answered.filter((one) => one.key.startsWith(view.prefix) && one.revision > view.toldFrom)) if (!view.told.has(write.revision)) ledger.violate(`a watch of ${view.prefix} has missed ${write.key} at revision ${write.revision}`);
    view.told.clear();
  }

  function relisted(view: View, { revision, states }: { revision: number; states: readonly EngineState[] }): void {
    report.compacted++;
    for (const state of states) ledger.saw(seenIn(state));
    Object.assign(view, { states: revisionsOf(states, view.prefix), revision, told: new Set(), toldFrom: revision, toReach: undefined });
  }
}

/** All that a process writes, and when it has begun to, or ended. */
function listen({ stdout, stderr }: { stdout: ReadableStream<Uint8Array>; stderr: ReadableStream<Uint8Array> }): { began: Promise<void>; said: Promise<{ out: string; complaint: string }> } {
  const began = Promise.withResolvers<void>(), complaint = new Response(stderr).text();
  const collect = async (): Promise<string> => {
    const parts: Uint8Array[] = [];
    for await (const chunk of stdout) {
      parts.push(chunk);
      began.resolve();
    }
    began.resolve();
    return Buffer.concat(parts).toString();
  };
  return { began: began.promise, said: Promise.all([collect(), complaint]).then(([out, said]) => ({ out, complaint: said })) };
}

const revisionsOf = (states: readonly EngineState[], prefix: string): Map<Key, number> => new Map(states.filter(({ key }) => key.startsWith(prefix)).map(({ key, revision }) => [key, revision]));

/** Whose the value is, and whether it is all there. */
function seenIn({ key, revision, value }: EngineState): Seen {
  const [number, size] = value.split(":", 2), whole = valueOf(Number(number), size === "L");
  return { key, revision, number: Number(number), content: value === whole ? "whole" : `half: ${JSON.stringify(value).slice(0, 60)}` };
}
