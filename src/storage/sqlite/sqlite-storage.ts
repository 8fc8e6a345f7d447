import { StorageError, type Listed, type Storage, type StorageStatus, type Stored, type StorageEvent, type WriteOptions } from "../storage.ts";
import { Watchers, type Deliver } from "../watchers.ts";
import { toStorageError } from "./errors.ts";
import { bytesWrittenBy, sizeOf } from "./file-figures.ts";
import { lockFile, prepareFile } from "./open-file.ts";
import type { WriteCommand } from "./protocol.ts";
import { Reader } from "./reader.ts";
import { revisionBlock, type FileState } from "./schema.ts";
import { View } from "./view.ts";
import { resourceOf, VolatileLog } from "./volatile-log.ts";
import { VolatileStates } from "./volatile-states.ts";
import { Writer } from "./writer.ts";

/** Writes in one transaction at most; more wait for the next, so that no commit takes long. */
const batchWrites = 512;

export interface SqliteOptions {
  /** The database file. Made, with its directory, when missing. SQLite's `-wal` and our `.lock` lie beside it. */
  path: string;
  /** Refuse writes with "full" when the file has grown to this. */
  maxBytes?: number;
  /** The writer thread died: nothing can be written any more, and the server had better stop. */
  onFatal?: (error: StorageError) => void;
}

/** A write that has been decided and waits for the disk. */
interface Write {
  /** None for a volatile write, unless its resource was never written so. */
  command: WriteCommand | undefined;
  volatile: boolean;
  event: StorageEvent;
  resolve(revision: number): void;
  reject(error: unknown): void;
  /** Called when it has been committed or has failed; made when somebody's answer depends on that. */
  whenSettled?: ((committed: boolean) => void)[];
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
  #writer: Writer;
  #release: () => void;
  #watchers = new Watchers<StorageEvent>();
  #revision: number;
  #compacted: number;
  /** The newest revision that the file has. */
  #durable: number;
  /** The last revision given to a write; `#revision` follows when it is durable. */
  #assigned: number;
  /** Revisions up to here may be given without asking the file first. */
  #promised: number;
  readonly #volatile = new VolatileStates();
  readonly #log = new VolatileLog();
  /** Resources that the file knows to be written volatilely. */
  readonly #volatileResources: Set<string>;
  readonly #view: View;
  #queue: Write[] = [];
  #committing: Promise<void> | undefined;
  #compacting: Promise<void> | undefined;
  /** The newest write in flight of each key. */
  #inFlight = new Map<string, Write>();
  #failure: StorageError | undefined;
  #closed: Promise<void> | undefined;

  /** Throws "corrupt" for a damaged file, "foreign" for one of another program, "newer" for one of a newer version, "io" when the file cannot be used or another process has it. */
  static async open(options: SqliteOptions): Promise<SqliteStorage> {
    const { path, maxBytes } = options;
    const lock = lockFile(path);
    let storage: SqliteStorage | undefined;
    const writer = new Writer((error) => {
      if (storage) storage.#fail(error);
      options.onFatal?.(error);
    });
    try {
      const state = prepareFile(path);
      const { thread } = await writer.call({ type: "open", path, ...(maxBytes === undefined ? {} : { maxBytes }) });
      return (storage = new SqliteStorage(options, new Reader(path), writer, thread, () => lock.release(), state));
    } catch (error) {
      writer.stop();
      lock.release();
      throw toStorageError(path, error);
    }
  }

  private constructor({ path, maxBytes }: SqliteOptions, reader: Reader, writer: Writer, writerThread: string | undefined, release: () => void, state: FileState) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#writerThread = writerThread;
    this.#reader = reader;
    this.#writer = writer;
    this.#release = release;
    this.#revision = this.#assigned = this.#promised = state.revision;
    this.#compacted = state.compacted;
    this.#durable = state.revision;
    this.#volatileResources = new Set(state.volatile);
    this.#log.begin(state.volatile, state.revision);
    this.#view = new View(reader, this.#volatile, this.#log);
  }

  get revision(): number {
    return this.#revision;
  }

  get compactedRevision(): number {
    return this.#compacted;
  }

  async get(key: string): Promise<Stored | undefined> {
    this.#mustBeOpen();
    return this.#view.get(key, this.#revision);
  }

  async list(prefix: string, { limit, after = "", revision = this.#revision }: { limit?: number; after?: string; revision?: number } = {}): Promise<Listed> {
    this.#mustBeOpen();
    this.#mustBeKept(revision, prefix);
    return { ...this.#view.list(prefix, after, Math.min(revision, this.#revision), limit), revision };
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
      const page = this.#view.history(prefix, from, this.#revision);
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
    await this.#writer.call({ type: "purge", revision: this.#compacted });
  }

  async status(): Promise<StorageStatus> {
    this.#mustBeOpen();
    const sizeBytes = sizeOf(this.#path), { version, freeBytes } = this.#reader.figures();
    const writtenBytes = this.#writerThread === undefined ? undefined : bytesWrittenBy(this.#writerThread);
    return {
      engine: "sqlite", version, sizeBytes, sizeInUseBytes: sizeBytes - freeBytes, durableRevision: this.#durable, alarms: [],
      ...(this.#maxBytes === undefined ? {} : { maxBytes: this.#maxBytes }), ...(writtenBytes === undefined ? {} : { writtenBytes }),
    };
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    while (this.#committing || this.#compacting) await Promise.allSettled([this.#committing, this.#compacting]);
    this.#watchers.fail(new StorageError("closed", "the storage has been closed"));
    this.#reader.close();
    try {
      if (!this.#failure) {
        await this.#writer.call({ type: "commit", writes: this.#volatile.commands(), revision: this.#assigned });
        await this.#writer.call({ type: "close", revision: this.#assigned });
      }
    } finally {
      this.#writer.stop();
      this.#release();
    }
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
  }

  /** `decide` throws, or says what to write, given the key's newest state. Called in order, writes to a key happen in order. */
  async #write(key: string, decide: Decide): Promise<number> {
    for (;;) {
      this.#mustBeOpen();
      const ahead = this.#inFlight.get(key);
      const state = ahead ? stateAfter(ahead) : this.#view.head(key);
      let change: Change;
      try {
        change = decide(state);
      } catch (error) {
        // A refusal that rests on a write in flight stands only once that write does.
        if (ahead && !(await settled(ahead))) continue;
        throw error;
      }
      return await this.#enqueue(key, change, state);
    }
  }

  #enqueue(key: string, change: Change, state: State | undefined): Promise<number> {
    const revision = ++this.#assigned;
    const before = state && { previous: state.value, previousRevision: state.revision };
    const event: StorageEvent = change.type === "delete"
      ? { type: "delete", key, revision, value: state!.value, ...before }
      : { type: "put", key, revision, value: change.value, ...before };
    const command = this.#commandOf(key, revision, change);
    return new Promise((resolve, reject) => {
      const write: Write = { command, volatile: change.volatile, event, resolve, reject };
      this.#inFlight.set(key, write);
      this.#queue.push(write);
      this.#committing ??= this.#drain();
    });
  }

  #commandOf(key: string, revision: number, change: Change): WriteCommand | undefined {
    if (change.volatile) {
      const prefix = resourceOf(key);
      return this.#volatileResources.has(prefix) ? undefined : { type: "volatile", prefix };
    }
    return change.type === "delete" ? { type: "delete", key, revision } : { type: "put", key, revision, value: tight(change.value) };
  }

  async #drain(): Promise<void> {
    // What is written in the same turn shares the first commit.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, batchWrites);
      const writes = batch.flatMap(({ command }) => command ?? []), revision = batch.at(-1)!.event.revision;
      try {
        // Volatile updates alone cost the disk a promise now and then.
        if (writes.length > 0 || revision > this.#promised) {
          await this.#writer.call({ type: "commit", writes, revision });
          this.#promised = revision + revisionBlock / 2;
        }
        this.#committed(batch);
      } catch (error) {
        // Writes behind a failed one were decided as if it had happened; their callers try again.
        this.#refused([...batch, ...this.#queue.splice(0)], error);
      }
    }
    this.#committing = undefined;
  }

  #committed(batch: readonly Write[]): void {
    this.#revision = batch.at(-1)!.event.revision;
    if (batch.some(({ command }) => command)) this.#durable = this.#revision;
    for (const { command, volatile, event } of batch) {
      if (command?.type === "volatile") this.#volatileResources.add(command.prefix);
      if (volatile) this.#volatile.set(event);
      // What follows a volatile state, the file would tell as if it followed another.
      if (volatile || this.#volatile.forget(event.key)) this.#log.push(event);
    }
    this.#watchers.publish(batch.map(({ event }) => event), this.#revision);
    for (const write of batch) this.#settle(write, true).resolve(write.event.revision);
  }

  #refused(writes: readonly Write[], error: unknown): void {
    for (const write of writes) this.#settle(write, false).reject(error);
  }

  #settle(write: Write, committed: boolean): Write {
    if (this.#inFlight.get(write.event.key) === write) this.#inFlight.delete(write.event.key);
    for (const tell of write.whenSettled ?? []) tell(committed);
    return write;
  }

  async #compact(): Promise<void> {
    let done = false, target = 0;
    try {
      while (!this.#closed && !(done && target === this.#compacted)) {
        target = this.#compacted;
        done = (await this.#writer.call({ type: "compact", revision: target })).done === true;
      }
    } finally {
      this.#compacting = undefined;
    }
  }
}

type Change = { type: "put"; value: Uint8Array; volatile: boolean } | { type: "delete"; volatile: boolean };
type Decide = (state: State | undefined) => Change;

function mustBeAt(key: string, expectedRevision: number, state: State | undefined): void {
  if (!state) throw new StorageError("notFound", `${key} does not exist`);
  if (state.revision !== expectedRevision) throw new StorageError("conflict", `${key} is at revision ${state.revision}, not ${expectedRevision}`);
}

const stateAfter = ({ event }: Write): State | undefined => (event.type === "delete" ? undefined : { revision: event.revision, value: event.value });

const settled = (write: Write): Promise<boolean> => new Promise((resolve) => (write.whenSettled ??= []).push(resolve));

/** Posting a view to a thread copies the whole buffer under it. */
const tight = (value: Uint8Array): Uint8Array => (value.byteLength === value.buffer.byteLength ? value : value.slice());
