import { cpSync } from "node:fs";
import { TestDisk } from "../support/fuse/disk.ts";
import { type Random, randomOf } from "../support/fuse/random.ts";
import type { Credentials } from "../bench/api-connection.ts";
import { CrashClient } from "./crash-client.ts";
import { CrashServer } from "./crash-server.ts";
import { configMaps, keyOf, leases, type TestedKind } from "./kinds.ts";
import { type Key, Ledger, type Seen } from "./ledger.ts";
import { Watcher } from "./watcher.ts";
import { keepWriting } from "./writer.ts";

export interface CrashOptions {
  executable: string;
  rounds: number;
  seed: number;
  /** The disk answers an fsync that it hasn't done: then writes must be found lost. */
  lies?: boolean;
  /** Ends the run after the round that it is in. */
  signal?: AbortSignal;
  /** Where to put the server's files when there are violations. */
  evidence?: string;
  /** Called after each round. */
  progress?(report: CrashReport): void;
}

export interface CrashReport {
  rounds: number;
  /** How they ended: the process killed, the power cut, or an orderly stop and the power cut then. */
  kills: number;
  powerCuts: number;
  stops: number;
  /** Of them, amid a start. */
  amidStart: number;
  acknowledged: number;
  /** Writes whose answer the crash has swallowed. */
  unanswered: number;
  /** Of them, those that were there afterwards. */
  kept: number;
  events: number;
  /** Watches that were told that their revision is gone, by what they watched. */
  relists: Record<TestedKind["name"], number>;
  slowestStartMs: number;
  /** What can't be true. */
  violations: readonly string[];
}

type Ending = { type: "kill"; afterMs: number } | { type: "cut"; requests: number; afterMs: number; seed?: number } | { type: "stop"; afterMs: number };

const kinds = [configMaps, leases];
const writersOf: readonly { kind: TestedKind; count: number }[] = [{ kind: configMaps, count: 5 }, { kind: leases, count: 3 }];
const keysOfOne = 6;
const longestRoundMs = 700;
const amidStartShare = 0.15;
/** A start with nothing to do takes about as long, and about as many requests of the disk. */
const startMs = 250;
const startRequests = 150;

/** Runs a server, ends it at random again and again, and keeps account of what its clients saw. Stops at the first round with violations. */
export async function runCrashes({ executable, rounds, seed, lies = false, signal, evidence, progress }: CrashOptions): Promise<CrashReport> {
  const random = randomOf(seed), disk = await TestDisk.mount(), server = new CrashServer({ command: [executable], dataDir: `${disk.path}/data` });
  const ledger = new Ledger();
  const watchers = kinds.flatMap((kind) => [1, 2, 3].map((n) => new Watcher({ name: `watcher ${n} of ${kind.name}`, kind, ledger })));
  const relists = (): CrashReport["relists"] => ({ configmaps: sum(watchers.filter(({ kind }) => kind === configMaps), (watcher) => watcher.relists), leases: sum(watchers.filter(({ kind }) => kind === leases), (watcher) => watcher.relists) });
  const report: CrashReport = { rounds: 0, kills: 0, powerCuts: 0, stops: 0, amidStart: 0, acknowledged: 0, unanswered: 0, kept: 0, events: 0, relists: relists(), slowestStartMs: 0, violations: ledger.violations };
  try {
    await disk.setFaults({ lies });
    while (report.rounds < rounds && ledger.violations.length === 0 && !signal?.aborted) {
      const ending = chooseEnding(random);
      report.rounds++;
      if (random.chance(amidStartShare)) {
        report.amidStart++;
        server.spawn();
        await end({ ...ending, type: ending.type === "stop" ? "kill" : ending.type, afterMs: random.below(startMs), requests: 1 + random.below(startRequests) } as Ending);
      } else {
        await round(ending);
      }
      Object.assign(report, { acknowledged: ledger.acknowledged, unanswered: ledger.unanswered, kept: ledger.kept, events: sum(watchers, ({ events }) => events), relists: relists() });
      progress?.(report);
    }
    if (ledger.violations.length === 0) await check(await timedStart());
    return { ...report, acknowledged: ledger.acknowledged, unanswered: ledger.unanswered, kept: ledger.kept };
  } catch (error) {
    if (!signal?.aborted) ledger.violate((error as Error).message);
    return report;
  } finally {
    await Promise.all(watchers.map((watcher) => watcher.leave()));
    await server.dispose();
    if (evidence && ledger.violations.length > 0) cpSync(disk.path, evidence, { recursive: true });
    await disk.dispose();
  }

  async function timedStart(): Promise<Credentials> {
    const began = performance.now(), credentials = await server.start();
    report.slowestStartMs = Math.max(report.slowestStartMs, performance.now() - began);
    return credentials;
  }

  async function round(ending: Ending): Promise<void> {
    const credentials = await timedStart(), states = await check(credentials);
    const abort = new AbortController(), clients: CrashClient[] = [];
    for (const { kind, count } of writersOf) {
      const shared = Array.from({ length: 3 }, (_, n) => keyOf(kind, `shared-${n}`));
      for (let writer = 0; writer < count; writer++) {
        clients.push(await CrashClient.open(credentials, ledger));
        void keepWriting({
          client: clients.at(-1)!, kind, random: randomOf(random.below(2 ** 31)), signal: abort.signal, states: new Map(states),
          keys: [...Array.from({ length: keysOfOne }, (_, n) => keyOf(kind, `writer-${writer}-${n}`)), ...shared],
        });
      }
    }
    await end(ending);
    abort.abort();
    await Promise.all(watchers.map((watcher) => watcher.leave()));
    for (const client of clients) client.close();
  }

  /** All there is after a start agrees with what was answered, and every watcher comes to see it. */
  async function check(credentials: Credentials): Promise<Map<Key, Seen>> {
    const client = await CrashClient.open(credentials, ledger), lists = [];
    for (const kind of kinds) lists.push(await client.list(kind));
    ledger.recovered(new Map(lists.flatMap(({ states }) => [...states])), Math.min(...lists.map(({ revision }) => revision)));
    for (const watcher of watchers) watcher.follow(credentials, { again: random.chance(0.3) });
    const answered = ledger.takeAnswered(), all = new Map<Key, Seen>();
    for (const kind of kinds) {
      // A write of this round that everybody has to hear of.
      const key = keyOf(kind, "fence"), before = await client.get(kind, key);
      await (before ? client.update(kind, key, before) : client.create(kind, key));
      const { states } = await client.list(kind), fence = states.get(key)!;
      for (const [name, seen] of states) all.set(name, seen);
      await Promise.all(watchers.filter((watcher) => watcher.kind === kind).map((watcher) => watcher.check(states, fence.revision, answered)));
    }
    client.close();
    return all;
  }

  async function end(ending: Ending): Promise<void> {
    if (ending.type === "cut") {
      report.powerCuts++;
      const lost = Promise.withResolvers<void>();
      await disk.powerOffAfter(ending.requests, lost.resolve);
      await Promise.race([lost.promise, Bun.sleep(ending.afterMs)]);
      await disk.powerOff();
      await server.kill();
      await disk.remount({ seed: ending.seed });
      return;
    }
    await Bun.sleep(ending.afterMs);
    if (ending.type === "kill") {
      report.kills++;
      return server.kill();
    }
    report.stops++;
    const code = await server.stop();
    if (code !== 0) ledger.violate(`an orderly stop ended with exit code ${code}: ${server.log(10)}`);
    await disk.powerOff();
    await disk.remount();
  }
}

function chooseEnding(random: Random): Ending {
  const afterMs = random.below(longestRoundMs), kind = random.next();
  if (kind < 0.35) return { type: "kill", afterMs };
  if (kind < 0.95) return { type: "cut", afterMs, requests: 1 + random.below(random.pick([20, 200, 3000])), ...(random.chance(0.6) ? { seed: random.below(2 ** 31) } : {}) };
  return { type: "stop", afterMs };
}

const sum = <T>(items: readonly T[], of: (item: T) => number): number => items.reduce((total, item) => total + of(item), 0);
