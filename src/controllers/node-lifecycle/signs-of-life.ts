interface Heard {
  /** When the node last gave a sign. */
  at: number;
  /** The node has been given up. */
  lost: boolean;
}

/**
 * A silence is noticed this soon after the grace period. What is noticed later was not watched, because our process was stopped
 * meanwhile: then nobody is to blame for having been silent.
 */
const watchSlack = 5000;

/** How long each node has been silent, in milliseconds that pass: neither our clock nor the node's, which may be set, decides. */
export class SignsOfLife {
  readonly #heard = new Map<string, Heard>();

  /** `givenUp` says that the node was found given up: it has to give a sign first. */
  meet(name: string, now: number, { givenUp }: { givenUp: boolean }): void {
    this.#heard.set(name, { at: givenUp ? -Infinity : now, lost: givenUp });
  }

  /** A node that hasn't been met says nothing. */
  heard(name: string, now: number): void {
    if (this.#heard.has(name)) this.#heard.set(name, { at: now, lost: false });
  }

  silence(name: string, now: number, gracePeriod: number): number {
    const last = this.#heard.get(name);
    if (!last) return 0;
    const silentFor = now - last.at;
    if (last.lost || silentFor <= gracePeriod) return silentFor;
    last.lost = silentFor <= gracePeriod + watchSlack;
    if (!last.lost) last.at = now;
    return now - last.at;
  }

  /** Nobody could be heard until now: all that aren't given up have their grace period again. */
  restart(now: number): void {
    for (const heard of this.#heard.values()) if (!heard.lost) heard.at = now;
  }

  forget(name: string): void {
    this.#heard.delete(name);
  }
}
