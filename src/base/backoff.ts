export interface BackoffOptions {
  /** The first delay, in milliseconds. */
  base: number;
  max: number;
  /** Default 2. */
  factor?: number;
  /** Adds up to this share of each delay at random. Default 0. */
  jitter?: number;
  random?: () => number;
}

/** The delay after `failures` failures in a row, counted from 0. */
export function backoffDelay(failures: number, { base, max, factor = 2, jitter = 0, random = Math.random }: BackoffOptions): number {
  const delay = Math.min(max, base * factor ** Math.min(failures, 64));
  return jitter > 0 ? Math.min(max, delay * (1 + jitter * random())) : delay;
}

/** The delays of one thing that is tried again and again; `reset` after it has worked. */
export class Backoff {
  #failures = 0;
  readonly #options: BackoffOptions;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  next(): number {
    return backoffDelay(this.#failures++, this.#options);
  }

  reset(): void {
    this.#failures = 0;
  }
}
