import { backoffDelay } from "./backoff.ts";
import type { Clock } from "./clock.ts";

export interface RunnerOptions {
  clock: Clock;
  /** The work over the whole set; runs never overlap. Throwing asks for another run after a back-off. */
  run(signal: AbortSignal): Promise<void>;
  /** The least time from the start of a run to the start of the next, in milliseconds. */
  minInterval: number;
  /** Runs at least this often even when nothing triggers it. Default: never. */
  maxInterval?: number;
  /** Back-off after failures; default 100 ms doubling to 30 s. */
  retry?: { base: number; max: number };
  onError?(error: unknown, failures: number): void;
}

/**
 * Paces a loop over a whole set (a ruleset, a zone, a routing table): any number of triggers during a run make one more run.
 * Source of the idea: kube-proxy's BoundedFrequencyRunner.
 */
export class Runner {
  readonly #options: RunnerOptions;
  #pending = false;
  #wake: () => void = () => {};

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** Asks for a run, soon. Never blocks. */
  trigger(): void {
    this.#pending = true;
    this.#wake();
  }

  /** Runs until `signal` aborts; the last run has ended when this resolves. The first run waits for a trigger. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, minInterval, retry = { base: 100, max: 30_000 } } = this.#options;
    let failures = 0;
    try {
      for (;;) {
        await this.#triggered(signal);
        this.#pending = false;
        const started = clock.monotonic();
        try {
          await this.#options.run(signal);
          failures = 0;
        } catch (error) {
          if (signal.aborted) return;
          this.#options.onError?.(error, failures + 1);
          this.#pending = true;
          await clock.sleep(backoffDelay(failures++, { ...retry, jitter: 0.1 }), signal);
        }
        const rest = started + minInterval - clock.monotonic();
        if (rest > 0) await clock.sleep(rest, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Resolves when a run is asked for or `maxInterval` has passed; rejects when `signal` aborts. */
  async #triggered(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#pending) return;
    const cancel = new AbortController();
    const either = AbortSignal.any([signal, cancel.signal]);
    const waits = [new Promise<void>((resolve, reject) => {
      this.#wake = resolve;
      either.addEventListener("abort", () => reject(either.reason), { once: true });
    })];
    if (this.#options.maxInterval !== undefined) waits.push(this.#options.clock.sleep(this.#options.maxInterval, either));
    try {
      await Promise.race(waits);
    } finally {
      this.#wake = () => {};
      cancel.abort();
      await Promise.allSettled(waits);
    }
  }
}
