import type { Clock } from "../../src/base/clock.ts";

interface Sleeper {
  at: number;
  wake(): void;
}

/** A clock that moves only when told; wall time can be set apart from the time that passes. */
export class FakeClock implements Clock {
  /** Time that has passed. */
  #passed = 0;
  /** Wall time at its beginning. */
  #epoch: number;
  readonly #sleepers = new Set<Sleeper>();

  constructor(now = Date.parse("2026-01-01T00:00:00Z")) {
    this.#epoch = now;
  }

  now(): number {
    return Math.floor(this.#epoch + this.#passed);
  }

  monotonic(): number {
    return this.#passed;
  }

  /** Sets the wall clock on, or back, with no time passing. */
  jump(ms: number): void {
    this.#epoch += ms;
  }

  /** Sleeps that have not ended. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = (): void => {
        this.#sleepers.delete(sleeper);
        reject(signal!.reason);
      };
      const sleeper = {
        at: this.#passed + ms,
        wake: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Moves the time on, waking sleepers in order, and lets what they woke run. */
  async advance(ms: number): Promise<void> {
    const end = this.#passed + ms;
    for (;;) {
      await settle();
      const next = [...this.#sleepers].filter((s) => s.at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#passed = Math.max(this.#passed, next.at);
      this.#sleepers.delete(next);
      next.wake();
    }
    this.#passed = end;
    await settle();
  }
}

/** Lets promises that are already resolved run their continuations. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
