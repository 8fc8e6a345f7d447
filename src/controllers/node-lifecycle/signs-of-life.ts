interface Heard {
  /** The renewal or heartbeat last seen; any change is a sign of life. */
  sign: string;
  /** When we saw it, by our clock: the node's may be wrong. */
  at: number;
  /** The node has been given up. */
  lost: boolean;
}

/**
 * A silence is noticed this soon after the grace period. What is noticed later was not watched: the machine slept, or its clock was set,
 * as on boards without a clock of their own whenever they reach a time server.
 */
export const watchSlack = 5000;

/** How long each node has been silent, in milliseconds by the clock of whoever asks. */
export class SignsOfLife {
  readonly #heard = new Map<string, Heard>();
  constructor(private readonly gracePeriod: number) {}

  /** `givenUp` tells of a node met for the first time that it was given up before: it has to give a sign before it is heard. */
  silence(name: string, sign: string, now: number, givenUp = false): number {
    const last = this.#heard.get(name);
    if (last?.sign !== sign) {
      const lost = !last && givenUp;
      this.#heard.set(name, { sign, at: lost ? now - this.gracePeriod - 1 : now, lost });
      return lost ? this.gracePeriod + 1 : 0;
    }
    const silentFor = now - last.at;
    if (last.lost || silentFor <= this.gracePeriod) return silentFor;
    last.lost = silentFor <= this.gracePeriod + watchSlack;
    if (!last.lost) last.at = now;
    return now - last.at;
  }

  forget(name: string): void {
    this.#heard.delete(name);
  }
}
