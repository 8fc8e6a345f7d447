import { systemClock, type Clock } from "../../base/clock.ts";
import { StorageError, type Listed, type Storage, type StorageEvent, type StorageStatus, type Stored, type WriteOptions } from "../storage.ts";
import { Watchers, type Deliver } from "../watchers.ts";
import { claimKey, ensureClaim, findClaim, objects } from "./claim.ts";
import type { Endpoint } from "./endpoints.ts";
import { EtcdClient, type EtcdClientOptions } from "./etcd-client.ts";
import { Fence, type OnFence } from "./fence.ts";
import { CompactedError, follow } from "./follow.ts";
import { oldestRevision } from "./oldest-revision.ts";
import { compareModRevision, endOf, fromKey, toKey, type KeyValue, type RequestOp, type TxnRequest, type TxnResponse, type WatchEvent } from "./messages.ts";
import { purge } from "./purge.ts";
import { SharedQuestion } from "./shared-question.ts";
import { Turns } from "./turns.ts";

export interface EtcdOptions {
  endpoints: readonly Endpoint[];
  tls?: EtcdClientOptions["tls"];
  /** The storage can't go on, such as when its rights were taken away: the server had better stop. */
  onFatal?: (error: StorageError) => void;
  /** Called before an empty etcd is taken into use; what it throws keeps it as it is. */
  beforeNew?: () => void;
  onFence?: OnFence;
  clock?: Clock;
  stopping?: EtcdClientOptions["stopping"];
}

/** Keys that one answer holds at most. */
const pageKeys = 1000;
/** Writes on their way at once; more wait here, not in etcd. */
const mostWrites = 256;
/** For how long a write is tried again whose outcome is not known. */
const insistMs = 10_000, insistEveryMs = 50;
/** How long a write that etcd has taken may wait for the watch to show it. */
const showWithinMs = 20_000;

/**
 * Storage in an etcd cluster (v3), which other servers may write to as well. A revision is etcd's own plus an offset (`Claim`).
 * Every write is a transaction that compares the key's revision. What has been written shows when our watch of etcd delivers it; so do
 * others' writes. All writes are durable, volatile ones too: other servers must see them, and etcd has a disk of its own.
 */
export class EtcdStorage implements Storage {
  readonly fence: Fence;
  readonly #client: EtcdClient;
  readonly #clock: Clock;
  readonly #offset: number;
  /** etcd's revision of the claim. */
  readonly #claimed: number;
  readonly #watchers = new Watchers<StorageEvent>();
  readonly #turns = new Turns(mostWrites);
  /** What local writers are writing now, by key. */
  readonly #writing = new Map<string, Writing>();
  /** Called at each revision shown. */
  readonly #waiting = new Set<() => void>();
  readonly #newest = new SharedQuestion(async () => {
    this.#mustBeOpen();
    const { header } = await this.#client.call("Range", { key: toKey(objects), countOnly: true }, { repeatable: true });
    return header!.revision! + this.#offset;
  });
  readonly #stop = new AbortController();
  readonly #following: Promise<void>;
  #revision: number;
  #compacted: number;
  /** The oldest revision when it was opened. */
  readonly #oldest: number;
  #failure: StorageError | undefined;
  #closed: Promise<void> | undefined;

  /** Throws in one sentence, "io", when etcd can't be reached, doesn't trust us, or holds something else. */
  static async open({ endpoints, tls, onFatal, beforeNew, onFence = () => undefined, clock = systemClock, stopping }: EtcdOptions): Promise<EtcdStorage> {
    const client = new EtcdClient({ endpoints, clock, ...(tls ? { tls } : {}), ...(stopping ? { stopping } : {}) });
    try {
      await client.meet();
      const { claim: { revisionOffset }, modRevision, revision } = await ensureClaim(client, beforeNew);
      const fence = new Fence(client, onFence);
      await fence.load();
      return new EtcdStorage({ client, clock, fence, claimed: modRevision, offset: revisionOffset, revision, compacted: await oldestRevision(client), onFatal });
    } catch (error) {
      client.close();
      throw error;
    }
  }

  private constructor({ client, clock, fence, claimed, offset, revision, compacted, onFatal }: { client: EtcdClient; clock: Clock; fence: Fence; claimed: number; offset: number; revision: number; compacted: number; onFatal: EtcdOptions["onFatal"] }) {
    this.#client = client;
    this.#clock = clock;
    this.fence = fence;
    this.#claimed = claimed;
    this.#offset = offset;
    this.#revision = revision + offset;
    this.#compacted = this.#oldest = compacted + offset;
    this.#following = this.#follow().catch((error: unknown) => {
      this.#failure = error instanceof StorageError ? error : new StorageError("io", String(error), { cause: error });
      this.#watchers.fail(this.#failure);
      this.#shown();
      onFatal?.(this.#failure);
    });
  }

  get revision(): number {
    return this.#revision;
  }

  get compactedRevision(): number {
    return this.#compacted;
  }

  get replaced(): number {
    return this.#revision - this.#oldest;
  }

  async get(key: string): Promise<Stored | undefined> {
    this.#mustBeOpen();
    const { kvs = [] } = await this.#client.call("Range", { key: toKey(key) }, { repeatable: true });
    return kvs[0] && this.#stored(kvs[0]);
  }

  async list(among: string, { limit = Infinity, after, revision }: { limit?: number; after?: string; revision?: number } = {}): Promise<Listed> {
    this.#mustBeOpen();
    if (revision !== undefined) this.#mustBeKept(revision);
    // Our own keys and other people's lie beside the objects.
    const prefix = objects.startsWith(among) ? objects : among;
    const items: Stored[] = [];
    let from = after === undefined || after < prefix ? toKey(prefix) : keyAfter(after), at = revision;
    for (;;) {
      const page = Math.min(pageKeys, limit - items.length);
      const { header, kvs = [], more = false, count = 0 } = await this.#read(() => this.#client.call("Range", { key: from, rangeEnd: endOf(prefix), limit: page, ...(at === undefined ? {} : { revision: at - this.#offset }) }, { repeatable: true }));
      at ??= header!.revision! + this.#offset;
      for (const kv of kvs) items.push(this.#stored(kv));
      if (!more || items.length >= limit) return { items, revision: at, more, remaining: count - kvs.length };
      from = keyAfter(items.at(-1)!.key);
    }
  }

  create(key: string, value: Uint8Array, { fence }: WriteOptions = {}): Promise<number> {
    return this.#write(key, 0, { requestPut: { key: toKey(key), value } }, { value, fence });
  }

  update(key: string, expectedRevision: number, value: Uint8Array, { fence }: WriteOptions = {}): Promise<number> {
    return this.#write(key, expectedRevision, { requestPut: { key: toKey(key), value } }, { value, fence });
  }

  delete(key: string, expectedRevision: number): Promise<number> {
    return this.#write(key, expectedRevision, { requestDeleteRange: { key: toKey(key) } });
  }

  async watch(prefix: string, fromRevision: number, onEvents: Deliver<StorageEvent>, signal: AbortSignal): Promise<void> {
    this.#mustBeOpen();
    this.#mustBeKept(fromRevision);
    if (signal.aborted) return;
    if (fromRevision < this.#revision) await this.#replay(prefix, fromRevision, onEvents, signal);
    else await this.#watchers.follow(prefix, fromRevision, onEvents, signal);
  }

  latest(): Promise<number> {
    return this.#newest.ask();
  }

  async purge(): Promise<void> {
    this.#mustBeOpen();
    const forgotten = await purge(this.#client, (revision) => this.#reached(revision + this.#offset));
    this.#compacted = Math.max(this.#compacted, forgotten + this.#offset);
  }

  async status(): Promise<StorageStatus> {
    this.#mustBeOpen();
    const { version = "", dbSize = 0, dbSizeInUse = 0, errors = [] } = await this.#client.call("Status", {}, { repeatable: true });
    const alarms = (["NOSPACE", "CORRUPT"] as const).filter((alarm) => errors.some((error) => error.includes(alarm)));
    return { engine: "etcd", version, sizeBytes: dbSize, sizeInUseBytes: dbSizeInUse, durableRevision: this.#revision, alarms };
  }

  async compact(revision: number): Promise<void> {
    this.#mustBeOpen();
    const upTo = Math.min(revision, this.#revision);
    if (upTo <= this.#compacted) return;
    try {
      await this.#client.call("Compact", { revision: upTo - this.#offset }, { repeatable: true });
    } catch (error) {
      // Another server was there first: that is as good.
      if (!(error instanceof StorageError) || error.code !== "compacted") throw error;
    }
    this.#compacted = Math.max(this.#compacted, upTo);
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    await this.#turns.drained();
    this.#stop.abort();
    this.#watchers.fail(new StorageError("closed", "the storage has been closed"));
    await this.#following;
    this.#client.close();
  }

  #mustBeOpen(): void {
    if (this.#failure) throw this.#failure;
    if (this.#closed) throw new StorageError("closed", "the storage has been closed");
  }

  #mustBeKept(revision: number): void {
    if (revision < this.#compacted) throw new StorageError("compacted", `revision ${revision} has been compacted; the oldest available is ${this.#compacted}`);
  }

  /** What another server has compacted is learnt when it is asked for. */
  async #read<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (error instanceof StorageError && error.code === "compacted") this.#compacted = Math.max(this.#compacted, (await oldestRevision(this.#client)) + this.#offset);
      throw error;
    }
  }

  /** One operation, if the key is at `expected` (0: not there). Writes to a key happen in the order they came in. */
  async #write(key: string, expected: number, operation: RequestOp, { value, fence }: { value?: Uint8Array; fence?: number | undefined } = {}): Promise<number> {
    this.#mustBeOpen();
    return this.#turns.take(key, async () => {
      const writing: Writing = { expected, value };
      this.#writing.set(key, writing);
      try {
        const { answer: { header, succeeded, responses }, lost } = await this.#insist({
          compare: [{ target: compareModRevision, key: toKey(key), modRevision: Math.max(expected - this.#offset, 0) }, ...(fence === undefined ? [] : [this.fence.at(fence)])],
          success: [operation],
          failure: [{ requestRange: { key: toKey(key), keysOnly: true } }, ...(fence === undefined ? [] : [this.fence.look])],
        });
        const revision = header!.revision! + this.#offset;
        // What refuses a write is shown too before its writer looks again.
        await this.#reached(revision);
        if (succeeded) return revision;
        // What was lost was the answer, not the write. (Another server's write of the very same bytes is as good.)
        if (lost && writing.shownAt !== undefined) return writing.shownAt;
        const [there, newest] = (responses ?? []).map(({ responseRange }) => responseRange?.kvs?.[0]);
        if (fence !== undefined && (newest?.modRevision ?? 0) !== fence) throw new StorageError("outdated", "the keys that encrypt have just been changed by another server: try again");
        if (expected === 0) throw new StorageError("exists", `${key} exists already`);
        if (!there) throw new StorageError("notFound", `${key} does not exist`);
        throw new StorageError("conflict", `${key} is at revision ${there.modRevision + this.#offset}, not ${expected}`);
      } finally {
        this.#writing.delete(key);
      }
    });
  }

  /**
   * A transaction whose answer got lost is made again: what it compares lets it happen once. Whether it had happened the first time the watch
   * tells, by what it was to write. `lost` says that this is to be asked. Throws "io" when no answer comes.
   */
  async #insist(transaction: TxnRequest): Promise<{ answer: TxnResponse; lost?: StorageError }> {
    const until = this.#clock.monotonic() + insistMs;
    let lost: StorageError | undefined;
    for (;;) {
      try {
        const answer = await this.#client.call("Txn", transaction, { repeatable: false, patienceMs: Math.max(until - this.#clock.monotonic(), 0) });
        return { answer, ...(lost ? { lost } : {}) };
      } catch (error) {
        if (!(error instanceof StorageError) || (error.code !== "io" && error.code !== "unavailable")) throw error;
        if (error.code === "io") lost = error;
        else if (!lost) throw error;
        if (this.#client.givesUp(until)) throw lost;
        await this.#clock.sleep(insistEveryMs);
      }
    }
  }

  /** Resolves when our watch has shown `revision`. */
  async #reached(revision: number): Promise<void> {
    if (this.#revision >= revision) return;
    const given = new AbortController();
    try {
      await Promise.race([
        new Promise<void>((resolve) => {
          const look = (): void => {
            if (this.#revision >= revision || this.#failure) resolve();
          };
          this.#waiting.add(look);
          given.signal.addEventListener("abort", () => this.#waiting.delete(look));
        }),
        this.#clock.sleep(showWithinMs, given.signal).then(() => {
          throw new StorageError("io", `etcd has taken the write but doesn't show it for ${showWithinMs / 1000} seconds: its members may be cut off from each other`);
        }),
      ]);
    } finally {
      given.abort();
    }
    if (this.#failure) throw this.#failure;
  }

  #shown(): void {
    for (const look of this.#waiting) look();
  }

  /** The live watch, for as long as the storage is open. */
  async #follow(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await follow({ client: this.#client, clock: this.#clock, from: this.#revision - this.#offset + 1, onEvents: (events) => this.#apply(events) }, this.#stop.signal);
      } catch (error) {
        if (!(error instanceof CompactedError)) throw error;
        await this.#skipTo(error.oldest);
      }
    }
  }

  #apply(batch: readonly WatchEvent[]): void {
    if (batch.some(({ kv }) => fromKey(kv.key) === claimKey)) throw replaced();
    const events = this.#events(batch);
    this.#revision = batch.at(-1)!.kv.modRevision + this.#offset;
    if (events.length > 0) this.#watchers.publish(events, this.#revision);
    else this.#watchers.progress(this.#revision);
    this.#shown();
  }

  /** We were away for longer than history is kept: watchers have to look anew. */
  async #skipTo(oldest: number): Promise<void> {
    const { modRevision, revision } = await findClaim(this.#client);
    if (modRevision !== this.#claimed) throw replaced();
    await this.fence.load();
    this.#compacted = Math.max(this.#compacted, oldest + this.#offset);
    this.#revision = revision + this.#offset;
    this.#watchers.fail(new StorageError("compacted", `etcd has compacted what was written while it could not be followed; the oldest available is ${this.#compacted}`));
    this.#shown();
  }

  /** History, and from where it meets the live watch on, that. */
  #replay(prefix: string, fromRevision: number, onEvents: Deliver<StorageEvent>, signal: AbortSignal): Promise<void> {
    const met = new AbortController();
    return new Promise((resolve, reject) => {
      const ended = follow({
        client: this.#client, clock: this.#clock, from: fromRevision - this.#offset + 1,
        onEvents: (batch) => {
          if (met.signal.aborted) return;
          const reached = batch.at(-1)!.kv.modRevision + this.#offset;
          onEvents(this.#events(batch, prefix), reached);
          if (reached < this.#revision) return;
          // Nothing is awaited between the last of history and joining the live watchers, so nothing can be missed.
          met.abort();
          resolve(this.#watchers.follow(prefix, reached, onEvents, signal));
        },
      }, AbortSignal.any([signal, met.signal, this.#stop.signal]));
      ended.then(() => {
        if (signal.aborted) resolve();
        else if (!met.signal.aborted) reject(this.#failure ?? new StorageError("closed", "the storage has been closed"));
      }, (error: unknown) => {
        if (error instanceof CompactedError) this.#compacted = Math.max(this.#compacted, error.oldest + this.#offset);
        reject(error);
      });
    });
  }

  #stored({ key, value = nothing, modRevision }: KeyValue): Stored {
    return { key: fromKey(key), value, revision: modRevision + this.#offset };
  }

  /** What concerns objects under `prefix`. */
  #events(batch: readonly WatchEvent[], prefix: string = objects): StorageEvent[] {
    return batch.flatMap((event) => {
      this.fence.see(event);
      return this.#event(event, prefix) ?? [];
    });
  }

  #event({ type, kv, prevKv }: WatchEvent, prefix: string): StorageEvent | undefined {
    const key = fromKey(kv.key);
    if (!key.startsWith(objects) || !key.startsWith(prefix)) return undefined;
    const revision = kv.modRevision + this.#offset;
    const before = prevKv && { previous: prevKv.value ?? nothing, previousRevision: prevKv.modRevision + this.#offset };
    const writing = this.#writing.get(key);
    // etcd leaves out what was there before when that has been compacted.
    if (!before && kv.createRevision !== kv.modRevision) throw new CompactedError(kv.modRevision);
    if (type === 1) {
      if (writing && !writing.value && writing.expected === before!.previousRevision) writing.shownAt = revision;
      return { type: "delete", key, revision, value: before!.previous, ...before };
    }
    const value = kv.value ?? nothing;
    const own = writing?.value && writing.expected === (before?.previousRevision ?? 0) && Buffer.compare(writing.value, value) === 0;
    if (own) writing.shownAt = revision;
    return { type: "put", key, revision, value: own ? writing.value! : value, ...before };
  }
}

/** A write that etcd has not answered yet. */
interface Writing {
  expected: number;
  /** None for a delete. */
  value: Uint8Array | undefined;
  /** The revision at which the watch has shown just this. */
  shownAt?: number;
}

/** Revisions count from elsewhere now, and nothing that this process knows holds. */
const replaced = (): StorageError => new StorageError("io", "another cluster, or another state of this one, has been put into etcd: start the server again once that has ended");

const nothing = new Uint8Array();
const keyAfter = (key: string): Uint8Array => toKey(`${key}\0`);
