import { backoffDelay } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { DelayHeap } from "./delay-heap.ts";

export interface WorkqueueOptions {
  clock: Clock;
  /** Back-off of a failing key in milliseconds; defaults 5 ms doubling to 1,000 s, as client-go's. */
  baseDelay?: number;
  maxDelay?: number;
  metrics?: QueueMetrics;
}

/** What a queue tells of itself. Durations in milliseconds. */
export interface QueueMetrics {
  added(depth: number): void;
  taken(depth: number, waited: number): void;
  done(took: number): void;
  retried(): void;
}

/** Timers overflow at 2³¹ ms; a longer wait is armed again. */
const longestSleep = 24 * 60 * 60 * 1000;
/** How soon a wait for a wall time notices that the clock was set. */
const clockSetNoticed = 30_000;

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
  /** By the monotonic clock. */
  readonly #delayed = new DelayHeap<K>();
  /** By the wall clock. */
  readonly #scheduled = new DelayHeap<K>();
  readonly #metrics: QueueMetrics | undefined;
  /** When a key was added, or taken to be worked on: only kept for metrics. */
  readonly #since = new Map<K, number>();
  readonly #started = new Map<K, number>();
  #waiting: ((key: K | undefined) => void)[] = [];
  #shutDown = false;
  #timer: { at: number; cancel: AbortController } | undefined;

  constructor({ clock, baseDelay = 5, maxDelay = 1_000_000, metrics }: WorkqueueOptions) {
    this.#metrics = metrics;
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
    if (this.#metrics) {
      this.#metrics.added(this.#dirty.size);
      this.#since.set(key, this.#clock.monotonic());
    }
    if (!this.#processing.has(key)) this.#enqueue(key);
  }

  /** Adds the key after `ms`; of several such calls for one key the earliest counts. */
  addAfter(key: K, ms: number): void {
    if (this.#shutDown) return;
    if (ms <= 0) return this.add(key);
    this.#delayed.add(key, this.#clock.monotonic() + ms);
    this.#arm();
  }

  /** Adds the key at a wall time, in milliseconds since the epoch, however the clock is set meanwhile; of several the earliest counts. */
  addAt(key: K, at: number): void {
    if (this.#shutDown) return;
    if (at <= this.#clock.now()) return this.add(key);
    this.#scheduled.add(key, at);
    this.#arm();
  }

  /** Adds the key after its own back-off, which grows until `forget`. */
  addRateLimited(key: K): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.#metrics?.retried();
    this.addAfter(key, backoffDelay(failures, { base: this.#baseDelay, max: this.#maxDelay }));
  }

  /** Ends the back-off of a key that has been worked on with success, or given up. */
  forget(key: K): void {
    this.#failures.delete(key);
  }

  /** For how long each key worked on now has been, in milliseconds; empty without metrics. */
  *workingFor(): Iterable<number> {
    const now = this.#clock.monotonic();
    for (const started of this.#started.values()) yield now - started;
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
    const started = this.#started.get(key);
    if (started !== undefined) {
      this.#started.delete(key);
      this.#metrics!.done(this.#clock.monotonic() - started);
    }
    if (this.#dirty.has(key)) this.#enqueue(key);
  }

  /** Takes no more keys and drops the delayed ones; those that are ready are still handed out, then `get` answers undefined. */
  shutDown(): void {
    this.#shutDown = true;
    this.#delayed.clear();
    this.#scheduled.clear();
    this.#timer?.cancel.abort();
    this.#timer = undefined;
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
  }

  #take(key: K): K {
    this.#processing.add(key);
    this.#dirty.delete(key);
    if (this.#metrics) {
      const now = this.#clock.monotonic();
      this.#metrics.taken(this.#dirty.size, now - (this.#since.get(key) ?? now));
      this.#since.delete(key);
      this.#started.set(key, now);
    }
    return key;
  }

  #enqueue(key: K): void {
    const resolve = this.#waiting.shift();
    if (resolve) resolve(this.#take(key));
    else this.#queue.push(key);
  }

  /** One timer for all delayed keys, set to the earliest. */
  #arm(): void {
    const now = this.#clock.monotonic();
    const wait = Math.min(longestSleep, (this.#delayed.nextAt ?? Infinity) - now, this.#untilScheduled());
    if (this.#delayed.nextAt === undefined && this.#scheduled.nextAt === undefined) return;
    const at = now + Math.max(0, wait);
    if (this.#timer && this.#timer.at <= at) return;
    this.#timer?.cancel.abort();
    const timer = { at, cancel: new AbortController() };
    this.#timer = timer;
    this.#clock.sleep(at - now, timer.cancel.signal).then(() => {
      if (this.#timer === timer) this.#timer = undefined;
      for (const key of this.#delayed.due(this.#clock.monotonic())) this.add(key);
      for (const key of this.#scheduled.due(this.#clock.now())) this.add(key);
      this.#arm();
    }, () => {
      // Superseded by an earlier timer, or shut down.
    });
  }

  #untilScheduled(): number {
    const at = this.#scheduled.nextAt;
    return at === undefined ? Infinity : Math.min(at - this.#clock.now(), clockSetNoticed);
  }
}
