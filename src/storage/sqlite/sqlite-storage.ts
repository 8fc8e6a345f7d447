import { StorageError, type Listed, type Storage, type StorageStatus, type Stored, type StorageEvent, type WriteOptions } from "../storage.ts";
import { Watchers, type Deliver } from "../watchers.ts";
import { Checkpointer } from "./checkpointer.ts";
import { toStorageError } from "./errors.ts";
import { bytesWrittenBy, sizeOf } from "./file-figures.ts";
import { lockFile, prepareFile } from "./open-file.ts";
import type { Command, WriteCommand, WriterRequest, WriterTells } from "./protocol.ts";
import { Reader } from "./reader.ts";
import type { RoomLeft } from "./room.ts";
import type { FileState } from "./schema.ts";
import { Thread } from "./thread.ts";
import { View } from "./view.ts";
import { resourceOf, VolatileLog } from "./volatile-log.ts";
import { VolatileStates } from "./volatile-states.ts";
import { mustBeAt, settled, WriteQueue, type Write } from "./write-queue.ts";

/** After each slice of compaction the disk is left to writers for so many times as long as that took, but no longer than this. */
const restTimes = 4, longestRestMs = 200;
const defaultVolatileBytes = 16 << 20;
/** In a database with little room an object may still grow by this: a condition, or the mark that it is being deleted. */
const smallGrowth = 1024;

export interface SqliteOptions {
  /** The database file. Made, with its directory, when missing. SQLite's `-wal` and our `.lock` lie beside it. */
  path: string;
  /** What the file may grow to. Short of that creates and updates are refused with "full", so that there is room for deleting. */
  maxBytes?: number;
  /** Volatile states in memory; beyond, the oldest are made durable, so that a flood of Events doesn't fill the memory instead of the disk. */
  volatileBytes?: number;
  /** Room has become short, with what to do about it, or (undefined) is there again. */
  onRoom?: (why: string | undefined) => void;
  /** A thread died, or the file can't be relied on: nothing can be written any more, and the server had better stop. */
  onFatal?: (error: StorageError) => void;
}

type WriterThread = Thread<WriterRequest, WriterTells>;

interface Parts {
  reader: Reader;
  writer: WriterThread;
  checkpointer: Checkpointer;
  release(): void;
}

interface State {
  revision: number;
  value: Uint8Array;
}

/**
 * Storage in one SQLite file. Conflicts are decided here, on the main thread, against the newest state including writes still in flight;
 * the writer thread then commits everything that has gathered while it was busy in one transaction (group commit).
 */
export class SqliteStorage implements Storage {
  readonly #path: string;
  readonly #maxBytes: number | undefined;
  #reader: Reader;
  readonly #writerThread: string | undefined;
  #writer: WriterThread;
  readonly #checkpointer: Checkpointer;
  #release: () => void;
  #watchers = new Watchers<StorageEvent>();
  #revision: number;
  #compacted: number;
  #replaced: number;
  /** The newest revision that the file has. */
  #durable: number;
  readonly #volatileBytes: number;
  readonly #onRoom: SqliteOptions["onRoom"];
  readonly #onFatal: SqliteOptions["onFatal"];
  /** The file was not closed, and the log of its last writes was gone: those may be lost. */
  readonly logLost: boolean;
  readonly #volatile = new VolatileStates();
  readonly #log = new VolatileLog();
  /** Resources that the file knows to be written volatilely. */
  readonly #volatileResources: Set<string>;
  readonly #view: View;
  readonly #queue: WriteQueue;
  #compacting: Promise<void> | undefined;
  #room: RoomLeft;
  #looking: Promise<void> | undefined;
  #failure: StorageError | undefined;
  #closed: Promise<void> | undefined;

  /** Throws "corrupt" for a damaged file, "foreign" for one of another program, "newer" for one of a newer version, "io" when the file cannot be used or another process has it. */
  static async open(options: SqliteOptions): Promise<SqliteStorage> {
    const { path, maxBytes } = options;
    const lock = lockFile(path);
    let storage: SqliteStorage | undefined;
    const onThreadFailure = (error: StorageError): void => {
      if (storage) storage.#fail(error);
      else options.onFatal?.(error);
    };
    const writer: WriterThread = new Thread("writer-worker.ts", onThreadFailure);
    const checkpointer = new Checkpointer({ path, finish: () => writer.call({ type: "checkpoint" }), onFatal: onThreadFailure });
    try {
      const state = prepareFile(path);
      const opened = await writer.call({ type: "open", path, occupancy: checkpointer.occupancy.memory, revision: state.revision + state.volatileKeys, ...(maxBytes === undefined ? {} : { maxBytes }) });
      return (storage = new SqliteStorage(options, { reader: new Reader(path), writer, checkpointer, release: () => lock.release() }, opened, state));
    } catch (error) {
      writer.stop();
      lock.release();
      throw toStorageError(path, error);
    }
  }

  private constructor({ path, maxBytes, volatileBytes = defaultVolatileBytes, onRoom, onFatal }: SqliteOptions, { reader, writer, checkpointer, release }: Parts, { thread, room }: WriterTells, state: FileState) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#volatileBytes = volatileBytes;
    this.#onRoom = onRoom;
    this.#onFatal = onFatal;
    this.logLost = state.logLost;
    if (room!.why !== undefined) onRoom?.(room!.why);
    this.#writerThread = thread;
    this.#room = room!;
    this.#reader = reader;
    this.#writer = writer;
    this.#checkpointer = checkpointer;
    this.#release = release;
    this.#revision = state.clean ? state.revision : this.#renumber(state);
    this.#queue = new WriteQueue({ revision: this.#revision, isDue: () => this.#hasSurplus, commit: (writes, revision) => this.#commit(writes, revision), publish: (...committed) => this.#publish(...committed) });
    this.#compacted = state.compacted;
    this.#replaced = state.replaced;
    this.#durable = state.revision;
    this.#volatileResources = new Set(state.volatile);
    this.#log.begin(state.volatile, this.#revision);
    this.#view = new View(reader, this.#volatile, this.#log);
  }

  get revision(): number {
    return this.#revision;
  }

  get compactedRevision(): number {
    return this.#compacted;
  }

  get replaced(): number {
    return this.#replaced;
  }

  async get(key: string): Promise<Stored | undefined> {
    this.#mustBeOpen();
    return this.#read(() => this.#view.get(key, this.#revision));
  }

  async list(prefix: string, { limit, after = "", revision = this.#revision }: { limit?: number; after?: string; revision?: number } = {}): Promise<Listed> {
    this.#mustBeOpen();
    this.#mustBeKept(revision, prefix);
    return { ...this.#read(() => this.#view.list(prefix, after, Math.min(revision, this.#revision), limit)), revision };
  }

  create(key: string, value: Uint8Array, { volatile = false }: WriteOptions = {}): Promise<number> {
    return this.#write(key, (state) => {
      if (state) throw new StorageError("exists", `${key} exists already`);
      return { type: "put", value, volatile };
    });
  }

  update(key: string, expectedRevision: number, value: Uint8Array, { volatile = false }: WriteOptions = {}): Promise<number> {
    return this.#write(key, (state) => {
      mustBeAt(key, expectedRevision, state);
      return { type: "put", value, volatile };
    });
  }

  delete(key: string, expectedRevision: number, { volatile = false }: WriteOptions = {}): Promise<number> {
    return this.#write(key, (state) => {
      mustBeAt(key, expectedRevision, state);
      return { type: "delete", volatile };
    });
  }

  async watch(prefix: string, fromRevision: number, onEvents: Deliver<StorageEvent>, signal: AbortSignal): Promise<void> {
    this.#mustBeOpen();
    let from = fromRevision;
    do {
      this.#mustBeKept(from, prefix);
      // Between the last page of history and joining the live watchers nothing is awaited, so nothing can be missed.
      if (from >= this.#revision) break;
      const page = this.#read(() => this.#view.history(prefix, from, this.#revision));
      onEvents(page.events, page.reached);
      from = page.reached;
      if (from < this.#revision) await new Promise((resolve) => setImmediate(resolve));
      this.#mustBeOpen();
    } while (!signal.aborted);
    await this.#watchers.follow(prefix, from, onEvents, signal);
  }

  async compact(revision: number): Promise<void> {
    this.#mustBeOpen();
    this.#compacted = Math.max(this.#compacted, Math.min(revision, this.#revision));
    this.#log.forget(this.#compacted);
    await (this.#compacting ??= this.#compact());
  }

  async purge(): Promise<void> {
    await this.compact(this.#revision);
    this.#mustBeOpen();
    await this.#checkpointer.hold(() => this.#writer.call({ type: "purge", revision: this.#compacted }));
  }

  async status(): Promise<StorageStatus> {
    this.#mustBeOpen();
    const { version, freeBytes, sizeBytes } = this.#read(() => ({ ...this.#reader.figures(), sizeBytes: sizeOf(this.#path) + sizeOf(`${this.#path}-wal`) }));
    const threads = [this.#writerThread, this.#checkpointer.thread].filter((thread) => thread !== undefined);
    const writtenBytes = threads.map(bytesWrittenBy).reduce((sum, bytes) => sum === undefined || bytes === undefined ? undefined : sum + bytes, 0);
    return {
      engine: "sqlite", version, sizeBytes, sizeInUseBytes: sizeBytes - freeBytes, durableRevision: this.#durable, alarms: this.#room.level === "plenty" ? [] : ["NOSPACE"],
      ...(this.#maxBytes === undefined ? {} : { maxBytes: this.#maxBytes }), ...(writtenBytes === undefined ? {} : { writtenBytes }),
    };
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    await this.#queue.drained();
    await Promise.allSettled([this.#compacting]);
    this.#watchers.fail(new StorageError("closed", "the storage has been closed"));
    try {
      await this.#checkpointer.hold(() => this.#closeFile());
    } finally {
      this.#checkpointer.stop();
      this.#writer.stop();
      this.#release();
    }
  }

  /** While a connection is open, none takes the log of a failed writer away: whoever begins anew needs it. */
  async #closeFile(): Promise<void> {
    if (this.#failure) return;
    await this.#writer.call({ type: "commit", writes: this.#volatile.commands(), revision: this.#queue.assigned, compacted: this.#compacted });
    await this.#checkpointer.close();
    await this.#writer.call({ type: "finish", revision: this.#queue.assigned });
    this.#reader.close();
    await this.#writer.call({ type: "close" });
  }

  /**
   * A crash has taken volatile states back: what the file has of their keys instead gets revisions beyond those, so that no key's goes back.
   * The file has been told of them.
   */
  #renumber({ volatile, revision: newest }: FileState): number {
    let revision = newest;
    for (const prefix of volatile) {
      for (const { key, value } of this.#reader.list(prefix, "", newest, -1)) this.#volatile.set({ type: "put", key, revision: ++revision, value, previous: value });
    }
    return revision;
  }

  #mustBeOpen(): void {
    if (this.#failure) throw this.#failure;
    if (this.#closed) throw new StorageError("closed", "the storage has been closed");
  }

  #mustBeKept(revision: number, prefix: string): void {
    const oldest = Math.max(this.#compacted, this.#log.floor(prefix));
    if (revision < oldest) throw new StorageError("compacted", `revision ${revision} has been compacted; the oldest available is ${oldest}`);
  }

  #fail(error: StorageError): void {
    this.#failure = error;
    this.#watchers.fail(error);
    this.#onFatal?.(error);
  }

  #read<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw this.#damageTold(toStorageError(this.#path, error));
    }
  }

  /** Nothing more is read from a damaged file or written to it. It stays marked as not closed, so that the next start looks at all of it. */
  #damageTold(error: StorageError): StorageError {
    if (error.code === "corrupt" && !this.#failure) this.#fail(error);
    return error;
  }

  /** `decide` throws, or says what to write, given the key's newest state. Called in order, writes to a key happen in order. */
  async #write(key: string, decide: Decide): Promise<number> {
    for (let looked = false; ;) {
      this.#mustBeOpen();
      const ahead = this.#queue.inFlight(key);
      const state = ahead ? stateAfter(ahead) : this.#read(() => this.#view.head(key));
      let change: Change;
      try {
        change = decide(state);
      } catch (error) {
        // A refusal that rests on a write in flight stands only once that write does.
        if (ahead && !(await settled(ahead))) continue;
        throw error;
      }
      if (this.#hasRoomFor(change, state)) return await this.#queue.push(eventOf(key, change, state), this.#commandOf(key, change), change.volatile);
      if (looked) throw new StorageError("full", this.#room.why!);
      await this.#look();
      looked = true;
    }
  }

  #hasRoomFor(change: Change, state: State | undefined): boolean {
    if (this.#room.level === "plenty" || change.volatile || change.type === "delete") return true;
    return this.#room.level === "little" && state !== undefined && change.value.byteLength <= state.value.byteLength + smallGrowth;
  }

  /** Whether there is room again is found out by those who would write. */
  #look(): Promise<void> {
    return (this.#looking ??= this.#call({ type: "look" }).then(() => {}).finally(() => (this.#looking = undefined)));
  }

  async #call(request: WriterRequest): Promise<WriterTells> {
    try {
      const reply = await this.#writer.call(request);
      if (reply.room) this.#setRoom(reply.room);
      if (reply.logged) this.#checkpointer.follow(reply.logged);
      return reply;
    } catch (error) {
      // The disk was fuller than was known.
      if (error instanceof StorageError && error.code === "full") this.#setRoom({ level: "none", why: error.message });
      throw this.#damageTold(toStorageError(this.#path, error));
    }
  }

  #setRoom(room: RoomLeft): void {
    const wasShort = this.#room.level !== "plenty", isShort = room.level !== "plenty";
    this.#room = room;
    if (wasShort !== isShort) this.#onRoom?.(room.why);
  }

  #commandOf(key: string, change: Change): Command | undefined {
    if (change.volatile) {
      const prefix = resourceOf(key);
      return this.#volatileResources.has(prefix) ? undefined : { type: "volatile", prefix };
    }
    return change.type === "delete" ? { type: "delete", key } : { type: "put", key, value: tight(change.value) };
  }

  get #hasSurplus(): boolean {
    return this.#volatile.bytes > this.#volatileBytes && this.#room.level === "plenty";
  }

  /** With the writes go volatile states for which memory is too small. */
  async #commit(writes: WriteCommand[], revision: number): Promise<void> {
    const surplus = this.#hasSurplus ? this.#volatile.surplus() : [];
    await this.#call({ type: "commit", writes: [...surplus, ...writes], revision, compacted: this.#compacted });
    this.#volatile.filed(surplus);
    this.#replaced += surplus.length;
  }

  #publish(writes: readonly Write[], revision: number): void {
    this.#revision = revision;
    if (writes.some(({ command }) => command)) this.#durable = revision;
    for (const { command, volatile, event } of writes) {
      if (command?.type === "volatile") this.#volatileResources.add(command.prefix);
      else if (command && event.previous) this.#replaced++;
      if (volatile) this.#volatile.set(event);
      // What follows a volatile state, the file would tell as if it followed another.
      if (volatile || this.#volatile.forget(event.key)) this.#log.push(event);
    }
    this.#watchers.publish(writes.map(({ event }) => event), revision);
    // Where room is short there is none for the past.
    if (this.#room.level !== "plenty") this.compact(revision).catch(() => {});
  }

  async #compact(): Promise<void> {
    let done = false, target = 0;
    try {
      while (!this.#closed && !(done && target === this.#compacted)) {
        target = this.#compacted;
        const began = performance.now();
        done = (await this.#call({ type: "compact", revision: target })).done === true;
        if (done || this.#room.level !== "plenty") continue;
        await new Promise((resolve) => setTimeout(resolve, Math.min((performance.now() - began) * restTimes, longestRestMs)));
        // A log that is being taken into the file is not to grow meanwhile.
        await this.#checkpointer.settled();
      }
    } finally {
      this.#compacting = undefined;
    }
  }
}

type Change = { type: "put"; value: Uint8Array; volatile: boolean } | { type: "delete"; volatile: boolean };
type Decide = (state: State | undefined) => Change;

function eventOf(key: string, change: Change, state: State | undefined): Omit<StorageEvent, "revision"> {
  const before = state && { previous: state.value, previousRevision: state.revision };
  return change.type === "delete" ? { type: "delete", key, value: state!.value, ...before } : { type: "put", key, value: change.value, ...before };
}

const stateAfter = ({ event }: Write): State | undefined => (event.type === "delete" ? undefined : { revision: event.revision, value: event.value });

/** Posting a view to a thread copies the whole buffer under it. */
const tight = (value: Uint8Array): Uint8Array => (value.byteLength === value.buffer.byteLength ? value : value.slice());
