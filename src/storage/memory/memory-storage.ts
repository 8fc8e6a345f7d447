import { StorageError, type Listed, type Storage, type StorageStatus, type Stored, type StorageEvent } from "../storage.ts";
import { Watchers, type Deliver } from "../watchers.ts";

/** Storage in memory, for tests of what stands on it. Keeps all history until told to compact. */
export class MemoryStorage implements Storage {
  #current = new Map<string, Stored>();
  #history: StorageEvent[] = [];
  #watchers = new Watchers<StorageEvent>();
  #closed = false;
  revision = 0;
  compactedRevision = 0;

  get replaced(): number {
    return this.revision;
  }

  async get(key: string): Promise<Stored | undefined> {
    this.#mustBeOpen();
    return this.#current.get(key);
  }

  async list(prefix: string, { limit = Infinity, after = "", revision = this.revision }: { limit?: number; after?: string; revision?: number } = {}): Promise<Listed> {
    this.#mustBeOpen();
    this.#mustBeKept(revision);
    const found = [...this.#stateAt(revision).values()].filter(({ key }) => key.startsWith(prefix) && key > after).sort((a, b) => (a.key < b.key ? -1 : 1));
    const items = found.slice(0, limit);
    return { items, revision, more: found.length > items.length, remaining: found.length - items.length };
  }

  async create(key: string, value: Uint8Array): Promise<number> {
    this.#mustBeOpen();
    if (this.#current.has(key)) throw new StorageError("exists", `${key} exists already`);
    return this.#commit({ type: "put", key, revision: this.revision + 1, value });
  }

  async update(key: string, expectedRevision: number, value: Uint8Array): Promise<number> {
    const previous = this.#mustBeAt(key, expectedRevision);
    return this.#commit({ type: "put", key, revision: this.revision + 1, value, previous: previous.value, previousRevision: previous.revision });
  }

  async delete(key: string, expectedRevision: number): Promise<number> {
    const { value, revision: previousRevision } = this.#mustBeAt(key, expectedRevision);
    return this.#commit({ type: "delete", key, revision: this.revision + 1, value, previous: value, previousRevision });
  }

  async watch(prefix: string, fromRevision: number, onEvents: Deliver<StorageEvent>, signal: AbortSignal): Promise<void> {
    this.#mustBeOpen();
    this.#mustBeKept(fromRevision);
    if (signal.aborted) return;
    if (fromRevision < this.revision) onEvents(this.#history.filter(({ key, revision }) => revision > fromRevision && key.startsWith(prefix)), this.revision);
    await this.#watchers.follow(prefix, Math.max(fromRevision, this.revision), onEvents, signal);
  }

  purge(): Promise<void> {
    return this.compact(this.revision);
  }

  async compact(revision: number): Promise<void> {
    this.#mustBeOpen();
    this.compactedRevision = Math.max(this.compactedRevision, Math.min(revision, this.revision));
    this.#history = this.#history.filter((event) => event.revision > this.compactedRevision);
  }

  async status(): Promise<StorageStatus> {
    const sizeBytes = this.#current.values().reduce((sum, { value }) => sum + value.byteLength, 0);
    return { engine: "memory", sizeBytes, sizeInUseBytes: sizeBytes, durableRevision: this.revision, alarms: [] };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#watchers.fail(new StorageError("closed", "the storage has been closed"));
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new StorageError("closed", "the storage has been closed");
  }

  #mustBeKept(revision: number): void {
    if (revision < this.compactedRevision) throw new StorageError("compacted", `revision ${revision} has been compacted; the oldest available is ${this.compactedRevision}`);
  }

  #mustBeAt(key: string, expectedRevision: number): Stored {
    this.#mustBeOpen();
    const state = this.#current.get(key);
    if (!state) throw new StorageError("notFound", `${key} does not exist`);
    if (state.revision !== expectedRevision) throw new StorageError("conflict", `${key} is at revision ${state.revision}, not ${expectedRevision}`);
    return state;
  }

  /** The present state with later events undone, newest first. */
  #stateAt(revision: number): Map<string, Stored> {
    const state = new Map(this.#current);
    for (const event of this.#history.toReversed()) {
      if (event.revision <= revision) break;
      if (event.previous === undefined) state.delete(event.key);
      else state.set(event.key, { key: event.key, value: event.previous, revision: event.previousRevision! });
    }
    return state;
  }

  #commit(event: StorageEvent): number {
    const { type, key, revision, value } = event;
    if (type === "delete") this.#current.delete(key);
    else this.#current.set(key, { key, value, revision });
    this.#history.push(event);
    this.revision = revision;
    this.#watchers.publish([event], revision);
    return revision;
  }
}
