import { StorageError, type StorageEvent } from "./storage.ts";

export type OnEvents = (events: readonly StorageEvent[], revision: number) => void;

/** What a store can say about its past: the events after `from` up to `to`, and the revision they reach, which may be short of `to`. */
export type ReadHistory = (prefix: string, from: number, to: number) => { events: StorageEvent[]; reached: number };

interface Watcher {
  prefix: string;
  /** Events up to here are not this watcher's: it asked for a revision yet to come. */
  from: number;
  onEvents: OnEvents;
  fail(error: unknown): void;
}

/** The watch of a store with one process: history handed over in pages, then every commit as it happens. */
export class Watchers {
  #live = new Set<Watcher>();

  /** `position` is read anew for every page: the store's newest revision and the oldest it can serve from. */
  async watch(prefix: string, fromRevision: number, onEvents: OnEvents, signal: AbortSignal, position: () => { revision: number; compacted: number }, history: ReadHistory): Promise<void> {
    let from = fromRevision;
    for (;;) {
      if (signal.aborted) return;
      const { revision, compacted } = position();
      if (from < compacted) throw new StorageError("compacted", `revision ${from} has been compacted; the oldest available is ${compacted}`);
      if (from >= revision) break;
      const { events, reached } = history(prefix, from, revision);
      onEvents(events, reached);
      from = reached;
      // No turn of the event loop between the last page and joining the live watchers: nothing can happen unseen.
      if (reached >= revision && position().revision === revision) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await this.#follow({ prefix, from, onEvents }, signal);
  }

  #follow(watch: Omit<Watcher, "fail">, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.#live.delete(watcher);
        signal.removeEventListener("abort", onAbort);
      };
      const onAbort = (): void => {
        stop();
        resolve();
      };
      const watcher: Watcher = { ...watch, fail: (error) => {
        stop();
        reject(error);
      } };
      this.#live.add(watcher);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Hands one commit to everybody it concerns. A watcher that throws ends its own watch. */
  publish(events: readonly StorageEvent[], revision: number): void {
    for (const watcher of this.#live) {
      const wanted = events.filter((event) => event.revision > watcher.from && event.key.startsWith(watcher.prefix));
      if (wanted.length === 0) continue;
      try {
        watcher.onEvents(wanted, revision);
      } catch (error) {
        watcher.fail(error);
      }
    }
  }

  /** Ends all watches with `error`. */
  fail(error: StorageError): void {
    for (const watcher of [...this.#live]) watcher.fail(error);
  }
}
