/** Exponential back-off as Kubernetes counts it (client-go util/flowcontrol Backoff): by key, doubling, forgotten after twice the maximum. */
export interface BackoffLimits {
  initialMs: number;
  maximumMs: number;
}

interface Entry {
  delayMs: number;
  /** When the last try was made. */
  since: number;
}

export const crashLoopLimits: BackoffLimits = { initialMs: 10_000, maximumMs: 300_000 };
export const imagePullLimits: BackoffLimits = { initialMs: 10_000, maximumMs: 300_000 };

/** What clocks that are read apart may differ by. */
const skewMs = 1000;

export class Backoff {
  #entries = new Map<string, Entry>();
  constructor(readonly limits: BackoffLimits) {}

  /**
   * Milliseconds still to wait after an event at `eventTime` (a container's end, a failed pull); 0 when it may be tried now. An event that lies
   * ahead was before the clock was set back: that is not waited for.
   */
  remaining(key: string, eventTime: number, now: number): number {
    const entry = this.#entries.get(key);
    if (!entry || this.#expired(eventTime, entry.since) || eventTime > now + skewMs) return 0;
    return Math.max(0, eventTime + entry.delayMs - now);
  }

  /** The delay in force, for messages. */
  delay(key: string): number {
    return this.#entries.get(key)?.delayMs ?? 0;
  }

  /** Another try after an event at `eventTime`: the wait after the next one doubles. */
  next(key: string, eventTime: number, now: number): void {
    const entry = this.#entries.get(key);
    const delayMs = !entry || this.#expired(eventTime, entry.since) ? this.limits.initialMs : Math.min(entry.delayMs * 2, this.limits.maximumMs);
    this.#entries.set(key, { delayMs, since: now });
  }

  reset(key: string): void {
    this.#entries.delete(key);
  }

  /** Drops all keys that begin with `prefix`. */
  forget(prefix: string): void {
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#entries.delete(key);
  }

  #expired(eventTime: number, since: number): boolean {
    return eventTime - since > this.limits.maximumMs * 2;
  }
}
