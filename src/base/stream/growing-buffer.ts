const smallest = 4 << 10;

/** Bytes appended in pieces of any size, in one buffer that doubles: a client that sends single bytes costs no more than others. */
export class GrowingBuffer {
  private store: Buffer | null = null;
  private used = 0;

  get length(): number {
    return this.used;
  }

  /** A view; good until the next `append`. */
  view(): Buffer {
    return this.store === null ? Buffer.alloc(0) : this.store.subarray(0, this.used);
  }

  /** `expected` is the final length, where known; it is a hint that is not trusted with more than a doubling. */
  append(bytes: Uint8Array, expected = 0): void {
    const needed = this.used + bytes.length;
    if (this.store === null || this.store.length < needed) this.grow(needed, expected);
    this.store!.set(bytes, this.used);
    this.used = needed;
  }

  /** Hands the bytes out and starts empty again. */
  take(): Buffer {
    const taken = this.view();
    this.store = null;
    this.used = 0;
    return taken;
  }

  private grow(needed: number, expected: number): void {
    const doubled = Math.max(smallest, needed, this.used * 2);
    const size = expected >= needed && expected < doubled ? expected : doubled;
    const grown = Buffer.allocUnsafeSlow(size);
    if (this.store !== null) this.store.copy(grown, 0, 0, this.used);
    this.store = grown;
  }
}
