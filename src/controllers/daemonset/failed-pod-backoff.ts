/** How long a failed daemon pod stays before it is replaced: a second, doubled with each failure on the node, a quarter of an hour at most. */
const shortest = 1000;
const longest = 15 * 60 * 1000;

/** Source: flowcontrol.Backoff of client-go, as the DaemonSet controller uses it. All times in milliseconds, of a clock that never jumps. */
export class FailedPodBackoff {
  readonly #entries = new Map<string, { delay: number; since: number }>();

  /** What is left of the wait. */
  remaining(key: string, now: number): number {
    const entry = this.#entries.get(key);
    return entry ? Math.max(0, entry.since + entry.delay - now) : 0;
  }

  /** A failed pod is replaced now. */
  next(key: string, now: number): void {
    for (const [other, { since }] of this.#entries) if (now - since > 2 * longest) this.#entries.delete(other);
    const delay = this.#entries.get(key)?.delay;
    this.#entries.set(key, { delay: delay === undefined ? shortest : Math.min(2 * delay, longest), since: now });
  }
}
