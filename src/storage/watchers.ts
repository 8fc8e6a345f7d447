/** Called with what concerns one watcher of a commit; `revision` is how far its watch has got. */
export type Deliver<E> = (events: readonly E[], revision: number) => void;

interface Watcher<E> {
  prefix: string;
  /** Events up to here are not for this watcher. */
  from: number;
  deliver: Deliver<E>;
  fail(error: unknown): void;
}

/** The live end of watches: who wants which keys, and handing each commit round, synchronously. */
export class Watchers<E extends { key: string; revision: number }> {
  #live = new Set<Watcher<E>>();

  /** From the next commit on, until `signal` aborts. Rejects with what `deliver` throws, or with what `fail` is called with. */
  follow(prefix: string, from: number, deliver: Deliver<E>, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.#live.delete(watcher);
        signal.removeEventListener("abort", onAbort);
      };
      const onAbort = (): void => {
        end();
        resolve();
      };
      const fail = (error: unknown): void => {
        end();
        reject(error);
      };
      const watcher: Watcher<E> = { prefix, from, deliver, fail };
      this.#live.add(watcher);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Watchers of the same prefix get the same array. */
  publish(events: readonly E[], revision: number): void {
    const first = events[0];
    if (!first) return;
    const byPrefix = new Map<string, readonly E[]>();
    for (const watcher of this.#live) {
      let wanted = byPrefix.get(watcher.prefix);
      if (!wanted) byPrefix.set(watcher.prefix, (wanted = events.filter(({ key }) => key.startsWith(watcher.prefix))));
      if (watcher.from >= first.revision) wanted = wanted.filter((event) => event.revision > watcher.from);
      if (wanted.length > 0) this.#deliver(watcher, wanted, revision);
    }
  }

  /** Tells everybody that there is nothing for them up to `revision`. */
  progress(revision: number): void {
    for (const watcher of this.#live) if (watcher.from < revision) this.#deliver(watcher, [], revision);
  }

  #deliver(watcher: Watcher<E>, events: readonly E[], revision: number): void {
    try {
      watcher.deliver(events, revision);
    } catch (error) {
      watcher.fail(error);
    }
  }

  /** Ends all watches with `error`. */
  fail(error: Error): void {
    const watchers = Array.from(this.#live);
    for (const watcher of watchers) watcher.fail(error);
  }
}
