/** A sequence that looks random and is the same for the same seed: what failed can be run again. */
export interface Random {
  /** From 0 up to 1, which it never is. */
  next(): number;
  /** A whole number from 0 up to `bound`, which it never is. */
  below(bound: number): number;
  chance(share: number): boolean;
  pick<T>(choices: readonly T[]): T;
}

/** mulberry32: 32 bits of state, good enough to choose by. Source: https://gist.github.com/tommyettinger/46a874533244883189143505d203312c. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (bound: number): number => Math.floor(next() * bound);
  return { next, below, chance: (share) => next() < share, pick: (choices) => choices[below(choices.length)]! };
}
