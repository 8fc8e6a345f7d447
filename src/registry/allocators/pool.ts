/**
 * Numbers from 0 to `size` - 1, each held by one owner. Who holds what is learned from the stored objects (`hold`, `release`);
 * a reservation bridges the time until a write is stored.
 */
export class Pool {
  readonly #holders = new Map<number, string>();
  readonly #reserved = new Set<number>();

  /** `lower`: numbers below it are for explicit use, and dynamic allocation takes them last. `avoid` is never taken dynamically. */
  constructor(readonly size: number, private readonly options: { lower: number; avoid?: ReadonlySet<number>; random: (limit: number) => number }) {}

  hold(number: number, owner: string): void {
    this.#holders.set(number, owner);
  }

  /** Does nothing when somebody else holds it by now. */
  release(number: number, owner: string): void {
    if (this.#holders.get(number) === owner) this.#holders.delete(number);
  }

  isFree(number: number, owner: string): boolean {
    const holder = this.#holders.get(number);
    return !this.#reserved.has(number) && (holder === undefined || holder === owner);
  }

  /** Whether it is taken by an object that is stored, other than the owner. */
  isHeld(number: number, owner: string): boolean {
    const holder = this.#holders.get(number);
    return holder !== undefined && holder !== owner;
  }

  reserve(number: number): void {
    this.#reserved.add(number);
  }

  unreserve(number: number): void {
    this.#reserved.delete(number);
  }

  /** A free number, reserved: at random from the upper band, from the lower one when that is full; undefined when all are taken. */
  next(): number | undefined {
    const { lower } = this.options;
    const found = this.#pick(lower, this.size) ?? this.#pick(0, lower);
    if (found !== undefined) this.#reserved.add(found);
    return found;
  }

  #pick(from: number, to: number): number | undefined {
    const count = to - from;
    const start = count > 0 ? this.options.random(count) : 0;
    for (let step = 0; step < count; step++) {
      const number = from + ((start + step) % count);
      if (!this.#holders.has(number) && !this.#reserved.has(number) && !this.options.avoid?.has(number)) return number;
    }
    return undefined;
  }
}

/** How much of a range Kubernetes sets aside for explicit use: a sixteenth (or thirty-second), within bounds (KEP-3070, KEP-3668). */
export function reservedBand(size: number, { least, divisor, most }: { least: number; divisor: number; most: number }): number {
  return size <= least ? 0 : Math.min(Math.max(least, Math.floor(size / divisor)), most);
}
