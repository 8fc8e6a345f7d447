import { StorageError, type StorageEvent } from "../storage.ts";
import type { Command, WriteCommand } from "./protocol.ts";
import { revisionBlock } from "./schema.ts";

/** Writes in one transaction at most; more wait for the next, so that no commit takes long. */
const batchWrites = 512;
/** Revisions left free in front of a commit, for volatile writes that need not wait for it: at least, and as long as they are all used, twice as many as the last time. */
const fewestFree = 16, mostFree = 1024;

/** Writes of a commit that are answered in one turn of the event loop. */
const answersAtOnce = 2;
/** Of the time that a commit took: for as long, at most, the next one waits for what those who are answered write then. */
const gatherPart = 1 / 4;

/** A write that has been decided and waits for the disk, or for its turn. */
export interface Write {
  /** None for a volatile write, unless its resource was never written so. */
  command: Command | undefined;
  volatile: boolean;
  event: StorageEvent;
  /** Free revisions in front of its own. */
  gap: number;
  resolve(revision: number): void;
  reject(error: unknown): void;
  /** Called when it has been committed or has failed; made when somebody's answer depends on that. */
  whenSettled?: ((committed: boolean) => void)[];
}

export interface WriteQueueDependencies {
  /** The newest revision in use. */
  revision: number;
  /** Whether a commit has work of its own, so that even volatile writes make one. */
  isDue(): boolean;
  /** Makes the commands durable, and that no revision up to `revision` is given again. */
  commit(writes: WriteCommand[], revision: number): Promise<unknown>;
  /** Shows everybody what has been committed, in order of revision, up to `revision`. */
  publish(writes: readonly Write[], revision: number): void;
}

/** Gives writes their revisions, and commits together what has gathered while the disk was busy. */
export class WriteQueue {
  #waiting: Write[] = [];
  /** The newest write in flight of each key. */
  readonly #inFlight = new Map<string, Write>();
  #draining: Promise<void> | undefined;
  /** The last revision given to a write. */
  #assigned: number;
  /** Revisions up to here may be given without asking the file first. */
  #promised: number;
  /** Free revisions in front of the commit under way, or of the one that gathers. */
  #gap: { next: number; last: number } | undefined;
  /** Nothing is under way, and what waits isn't begun yet. */
  #gathering = false;
  /** Commits whose writes haven't all been answered yet. */
  #answering = 0;
  #gapSize = fewestFree;

  constructor(private readonly dependencies: WriteQueueDependencies) {
    this.#assigned = this.#promised = dependencies.revision;
  }

  get assigned(): number {
    return this.#assigned;
  }

  /** The newest write to the key that isn't shown to anybody yet. */
  inFlight(key: string): Write | undefined {
    return this.#inFlight.get(key);
  }

  /** Resolves with the write's revision when it is shown to everybody. */
  push(event: Omit<StorageEvent, "revision">, command: Command | undefined, volatile: boolean): Promise<number> {
    const free = command || this.#inFlight.has(event.key) ? undefined : this.#takeFree();
    return new Promise((resolve, reject) => {
      if (free !== undefined) {
        this.dependencies.publish([{ command, volatile, event: { ...event, revision: free }, gap: 0, resolve, reject }], free);
        return resolve(free);
      }
      const gap = this.#waiting.length === 0 && (command || this.#gap) ? this.#gapSize : 0;
      const write: Write = { command, volatile, event: { ...event, revision: this.#assigned += gap + 1 }, gap, resolve, reject };
      this.#inFlight.set(event.key, write);
      this.#waiting.push(write);
      if (this.#gathering) this.#gap ??= gapBefore(write);
      this.#draining ??= this.#drain();
    });
  }

  /** Resolves when all has been committed, or has failed, and was answered. */
  async drained(): Promise<void> {
    while (this.#draining || this.#answering > 0) await (this.#draining ?? nextTurn());
  }

  /** A revision that a write may be shown with at once. */
  #takeFree(): number | undefined {
    const gap = this.#gap;
    if (!gap) return this.#gathering && this.#assigned < this.#promised && !this.dependencies.isDue() ? ++this.#assigned : undefined;
    return gap.next <= gap.last && gap.next <= this.#promised ? gap.next++ : undefined;
  }

  #leaveGap(): void {
    if (!this.#gap) return;
    const left = this.#gap.last + 1 - this.#gap.next;
    if (left <= 0) this.#gapSize = Math.min(this.#gapSize * 2, mostFree);
    else if (left > this.#gapSize / 2) this.#gapSize = Math.max(this.#gapSize / 2, fewestFree);
    this.#gap = undefined;
  }

  async #drain(): Promise<void> {
    // What is written in the same turn shares the first commit.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const began = performance.now();
      await this.#commit(this.#waiting.splice(0, batchWrites));
      const ended = performance.now();
      if (this.#answering > 0) await this.#gather(ended + (ended - began) * gatherPart);
    }
    this.#draining = undefined;
  }

  /** Lets those who are answered write again, so that they share the next commit: where the disk is slow, an fsync less is worth more than to begin at once. */
  async #gather(deadline: number): Promise<void> {
    const first = this.#waiting[0];
    this.#gap = first && gapBefore(first);
    this.#gathering = true;
    while (this.#answering > 0 && performance.now() < deadline) await nextTurn();
    this.#gathering = false;
  }

  async #commit(batch: readonly Write[]): Promise<void> {
    const commands = batch.flatMap(({ command, event: { revision } }) => (command ? { ...command, revision } : []));
    const last = batch.at(-1)!.event.revision;
    try {
      // Volatile writes alone cost the disk a promise now and then.
      if (commands.length > 0 || last > this.#promised || this.dependencies.isDue()) {
        this.#gap ??= gapBefore(batch[0]!);
        await this.dependencies.commit(commands, last);
        this.#promised = last + revisionBlock / 2;
      }
      this.#committed(batch);
    } catch (error) {
      this.#failed(batch, last, error);
    } finally {
      this.#leaveGap();
    }
  }

  #committed(batch: readonly Write[]): void {
    if (batch.length === 0) return;
    this.dependencies.publish(batch, batch.at(-1)!.event.revision);
    for (const write of batch) this.#settle(write, true);
    this.#answer(batch);
  }

  /** Tells those who wait for the writes, a few in a turn of the event loop: each has work to do then, and who comes to read meanwhile isn't kept waiting by all of it. */
  #answer(batch: readonly Write[], from = 0): void {
    const next = from + answersAtOnce;
    for (const { event, resolve } of batch.slice(from, next)) resolve(event.revision);
    if (from === 0) this.#answering++;
    if (next < batch.length) setImmediate(() => this.#answer(batch, next));
    else this.#answering--;
  }

  /** With those that needed the disk fail the writes to their keys that were decided as if they had happened. Others have no part in it. */
  #failed(batch: readonly Write[], last: number, error: unknown): void {
    const lost = new Set(batch.filter(({ command }) => command !== undefined || last > this.#promised).map(({ event }) => event.key));
    const isLost = ({ event }: Write): boolean => lost.has(event.key);
    const refused = [...batch.filter(isLost), ...this.#waiting.filter(isLost)];
    this.#waiting = this.#waiting.filter((write) => !isLost(write));
    this.#committed(batch.filter((write) => !isLost(write)));
    for (const write of refused) this.#settle(write, false).reject(error);
  }

  #settle(write: Write, committed: boolean): Write {
    if (this.#inFlight.get(write.event.key) === write) this.#inFlight.delete(write.event.key);
    for (const tell of write.whenSettled ?? []) tell(committed);
    return write;
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const gapBefore = ({ event: { revision }, gap }: Write): { next: number; last: number } => ({ next: revision - gap, last: revision - 1 });

/** True when the write was committed. */
export const settled = (write: Write): Promise<boolean> => new Promise((resolve) => (write.whenSettled ??= []).push(resolve));

/** Throws what a write that names a revision is refused with. */
export function mustBeAt(key: string, expectedRevision: number, state: { revision: number } | undefined): void {
  if (!state) throw new StorageError("notFound", `${key} does not exist`);
  if (state.revision !== expectedRevision) throw new StorageError("conflict", `${key} is at revision ${state.revision}, not ${expectedRevision}`);
}
