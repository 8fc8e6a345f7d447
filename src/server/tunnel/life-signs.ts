import type { Clock } from "../../base/clock.ts";

export interface LifeSignsOptions {
  clock: Clock;
  /** Asks the other end to say something. */
  ask(): void;
}

/** Who was heard so lately needs not be asked; and so often is looked, where it matters. Milliseconds. */
const lately = 1_000;
/** As long as an answer may take on a thin link that has lost a packet or two. Milliseconds. */
const answerMs = 4_000;

/** Whether the other end of a connection is still there: a machine that has lost its power doesn't say goodbye. */
export class LifeSigns {
  #heardAt: number;
  #heard = Promise.withResolvers<void>();
  #asking: Promise<boolean> | undefined;

  constructor(private readonly options: LifeSignsOptions) {
    this.#heardAt = options.clock.monotonic();
  }

  heard(): void {
    this.#heardAt = this.options.clock.monotonic();
    if (this.#asking) this.#heard.resolve();
  }

  /** Milliseconds since anything was heard. */
  get silence(): number {
    return this.options.clock.monotonic() - this.#heardAt;
  }

  /** Resolves with true once the other end is found not to be there, while `matters`; with false when that is over, at the latest when `signal` aborts. */
  async isSilent(matters: () => boolean, signal: AbortSignal): Promise<boolean> {
    while (await this.options.clock.sleep(lately, signal).then(matters, () => false)) {
      if (!(await this.#isThere())) return matters();
    }
    return false;
  }

  /** Whether anything was heard just now, or is within four seconds of being asked for. */
  #isThere(): Promise<boolean> {
    if (this.silence < lately) return Promise.resolve(true);
    return (this.#asking ??= this.#ask().finally(() => (this.#asking = undefined)));
  }

  async #ask(): Promise<boolean> {
    this.#heard = Promise.withResolvers();
    const over = new AbortController();
    this.options.ask();
    const there = await Promise.race([this.#heard.promise.then(() => true), this.options.clock.sleep(answerMs, over.signal).then(() => false, () => false)]);
    over.abort();
    return there;
  }

  /** Resolves with true once nothing was heard for so long, or with false when `signal` aborts before. Milliseconds. */
  async fallsSilent(ms: number, signal: AbortSignal): Promise<boolean> {
    for (let rest = ms; rest > 0; rest = ms - this.silence) {
      if (!(await this.options.clock.sleep(rest, signal).then(() => true, () => false))) return false;
    }
    return true;
  }
}
