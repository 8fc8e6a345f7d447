import { backoffDelay } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { DelayHeap } from "./delay-heap.ts";

export interface WorkqueueOptions {
  clock: Clock;
  /** Back-off of a failing key in milliseconds; defaults 5 ms doubling to 1,000 s, as client-go's. */
  baseDelay?: number;
  maxDelay?: number;
}

/**
 * Keys waiting to be worked on, with the promises of client-go's workqueue: a key added twice before it is taken is worked on once; a key
 * added while it is worked on comes back after `done`, so that no key is ever worked on twice at once; `get` is first come, first served.
 */
export class Workqueue<K = string> {
  readonly #clock: Clock;
  readonly #baseDelay: number;
  readonly #maxDelay: number;
  /** Keys to hand out, in order. Every one is also in `#dirty`. */
  #queue: K[] = [];
  readonly #dirty = new Set<K>();
  readonly #processing = new Set<K>();
  readonly #failures = new Map<K, number>();
  readonly #delayed = new DelayHeap<K>();
  #waiting: ((key: K | undefined) => void)[] = [];
  #shutDown = false;
  #timer: { at: number; cancel: AbortController } | undefined;

  constructor({ clock, baseDelay = 5, maxDelay = 1_000_000 }: WorkqueueOptions) {
    this.#clock = clock;
    this.#baseDelay = baseDelay;
    this.#maxDelay = maxDelay;
  }

  /** Keys ready to be taken. */
  get length(): number {
    return this.#queue.length;
  }

  /** True when nothing is ready or being worked on; delayed keys don't count. */
  get idle(): boolean {
    return this.#queue.length === 0 && this.#processing.size === 0;
  }

  add(key: K): void {
    if (this.#shutDown || this.#dirty.has(key)) return;
    this.#dirty.add(key);
    if (!this.#processing.has(key)) this.#enqueue(key);
  }

  /** Adds the key after `ms`; of several such calls for one key the earliest counts. */
  addAfter(key: K, ms: number): void {
    if (this.#shutDown) return;
    if (ms <= 0) return this.add(key);
    this.#delayed.add(key, this.#clock.now() + ms);
    this.#arm();
  }

  /** Adds the key after its own back-off, which grows until `forget`. */
  addRateLimited(key: K): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.addAfter(key, backoffDelay(failures, { base: this.#baseDelay, max: this.#maxDelay }));
  }

  /** Ends the back-off of a key that has been worked on with success, or given up. */
  forget(key: K): void {
    this.#failures.delete(key);
  }

  failures(key: K): number {
    return this.#failures.get(key) ?? 0;
  }

  /** Resolves with the next key, or undefined once the queue is shut down and empty. Call `done` with the key after the work. */
  get(): Promise<K | undefined> {
    const key = this.#queue.shift();
    if (key !== undefined) return Promise.resolve(this.#take(key));
    if (this.#shutDown) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  done(key: K): void {
    this.#processing.delete(key);
    if (this.#dirty.has(key)) this.#enqueue(key);
  }

  /** Takes no more keys and drops the delayed ones; those that are ready are still handed out, then `get` answers undefined. */
  shutDown(): void {
    this.#shutDown = true;
    this.#delayed.clear();
    this.#timer?.cancel.abort();
    this.#timer = undefined;
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
  }

  #take(key: K): K {
    this.#processing.add(key);
    this.#dirty.delete(key);
    return key;
  }

  #enqueue(key: K): void {
    const resolve = this.#waiting.shift();
    if (resolve) resolve(this.#take(key));
    else this.#queue.push(key);
  }

  /** One timer for all delayed keys, set to the earliest. */
  #arm(): void {
    const at = this.#delayed.nextAt;
    if (at === undefined || (this.#timer && this.#timer.at <= at)) return;
    this.#timer?.cancel.abort();
    const timer = { at, cancel: new AbortController() };
    this.#timer = timer;
    this.#clock.sleep(Math.max(0, at - this.#clock.now()), timer.cancel.signal).then(() => {
      if (this.#timer === timer) this.#timer = undefined;
      for (const key of this.#delayed.due(this.#clock.now())) this.add(key);
      this.#arm();
    }, () => {
      // Superseded by an earlier timer, or shut down.
    });
  }
}
