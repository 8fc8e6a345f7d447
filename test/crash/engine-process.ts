// `bun engine-process.ts <EngineOrders as JSON>`: opens a database, says what is there and what has happened since, and writes at random until it is ended.
// It says on standard output what it is about to do before it does, and what came of it after.
import { writeSync } from "node:fs";
import { SqliteStorage } from "../../src/storage/sqlite/sqlite-storage.ts";
import { type Storage, StorageError, type StorageErrorCode, type Stored } from "../../src/storage/storage.ts";
import { randomOf } from "../support/fuse/random.ts";
import type { Key } from "./ledger.ts";

export interface EngineOrders {
  path: string;
  seed: number;
  /** The number that the first attempt gets. */
  firstNumber: number;
  /** From where to tell what has happened to keys that begin with `prefix`; nothing the first time. */
  watches: { prefix: string; from?: number }[];
}

export interface EngineState { key: Key; revision: number; value: string }
export interface EngineEvent extends EngineState { type: "put" | "delete"; previousRevision?: number }

/** A line of its output each. */
export type EngineSays =
  | { type: "opened"; revision: number; states: EngineState[] }
  /** What a watch is told at once, and how far it has got with that. */
  | { type: "told"; prefix: string; events: EngineEvent[]; reached: number }
  /** A watch can't go on from where it was told to: this is there now, and it goes on from here. */
  | { type: "compacted"; prefix: string; revision: number; states: EngineState[] }
  | { type: "begin"; write: "create" | "update" | "delete"; key: Key; volatile: boolean; expected?: number }
  | { type: "done"; number: number; revision: number }
  /** A full disk is nobody's mistake. */
  | { type: "refused"; number: number; full: boolean; why: string }
  /** An orderly end. */
  | { type: "closed" };

/** All writes to keys with it are volatile, as those of Events; others are so now and then, as those of Leases. */
export const eventsPrefix = "/registry/core/events/";
export const leasesPrefix = "/registry/coordination.k8s.io/leases/";
export const mapsPrefix = "/registry/core/configmaps/";

const keysOfPrefix = 12;
const concurrency = 8;
const shares = { delete: 0.15, renew: 0.6, compact: 0.02, large: 0.03 } as const;

const refusals: ReadonlySet<StorageErrorCode> = new Set(["exists", "conflict", "notFound", "full"]);
const encoder = new TextEncoder(), decoder = new TextDecoder();
/** The value of an attempt: its number, and more that follows from it. */
export const valueOf = (number: number, large: boolean): string => `${number}:${large ? "L" : "s"}:${`${number} `.repeat(large ? 8000 : number % 40)}`;

async function run({ path, seed, firstNumber, watches }: EngineOrders): Promise<void> {
  const random = randomOf(seed), stopping = new AbortController();
  const storage: Storage = await SqliteStorage.open({ path });
  process.once("SIGTERM", () => stopping.abort());
  const { items, revision: openedAt } = await storage.list("/");
  say({ type: "opened", revision: openedAt, states: items.map(stateOf) });
  for (const { prefix, from } of watches) follow(storage, prefix, from ?? openedAt);

  const revisions = new Map(items.map(({ key, revision }) => [key, revision])), busy = new Set<Key>();
  let number = firstNumber;
  await Promise.all(Array.from({ length: concurrency }, async () => {
    while (!stopping.signal.aborted) {
      if (random.chance(shares.compact)) await storage.compact(storage.revision - random.below(200)).catch(() => undefined);
      const key = random.pick([mapsPrefix, leasesPrefix, eventsPrefix]) + random.below(keysOfPrefix);
      // One after another for a key, as its owner would.
      if (busy.has(key)) await Bun.sleep(1);
      else await write(key);
    }
  }));
  await storage.close();
  say({ type: "closed" });
  process.exit();

  async function write(key: Key): Promise<void> {
    busy.add(key);
    const expected = revisions.get(key), own = number++;
    const volatile = key.startsWith(eventsPrefix) || (key.startsWith(leasesPrefix) && expected !== undefined && random.chance(shares.renew));
    const type = expected === undefined ? "create" : (key.startsWith(eventsPrefix) || !volatile) && random.chance(shares.delete) ? "delete" : "update";
    const value = encoder.encode(valueOf(own, random.chance(shares.large)));
    say({ type: "begin", write: type, key, volatile, ...(expected === undefined ? {} : { expected }) });
    try {
      const revision = await (type === "create" ? storage.create(key, value, { volatile }) : type === "update" ? storage.update(key, expected!, value, { volatile }) : storage.delete(key, expected!, { volatile }));
      say({ type: "done", number: own, revision });
      if (type === "delete") revisions.delete(key);
      else revisions.set(key, revision);
    } catch (error) {
      // A failing disk may have it all the same.
      if (error instanceof StorageError && refusals.has(error.code)) say({ type: "refused", number: own, full: error.code === "full", why: error.message });
      await Bun.sleep(5);
    } finally {
      busy.delete(key);
    }
  }
}

const stateOf = ({ key, revision, value }: Stored): EngineState => ({ key, revision, value: decoder.decode(value) });

function follow(storage: Storage, prefix: string, from: number): void {
  storage.watch(prefix, from, (events, reached) => {
    say({ type: "told", prefix, reached, events: events.map(({ type, key, revision, value, previousRevision }) => ({ type, key, revision, value: decoder.decode(value), previousRevision })) });
  }, new AbortController().signal).catch(async (error: unknown) => {
    if (!(error instanceof StorageError) || error.code !== "compacted") return;
    const { items, revision } = await storage.list(prefix);
    say({ type: "compacted", prefix, revision, states: items.map(stateOf) });
    follow(storage, prefix, revision);
  });
}

function say(line: EngineSays): void {
  const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
  for (let written = 0; written < bytes.length;) written += writeSync(1, bytes, written);
}

if (import.meta.main) await run(JSON.parse(process.argv[2]!) as EngineOrders);
