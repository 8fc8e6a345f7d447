const smallest = 4 << 10;

/** Bytes appended in pieces of any size, in one buffer that doubles: a client that sends single bytes costs no more than others. */
export class GrowingBuffer {
  private store: Buffer | null = null;
  private start = 0;
  private used = 0;

  get length(): number {
    return this.used - this.start;
  }

  /** A view; good until the next `append`. */
  view(): Buffer {
    return this.store === null ? Buffer.alloc(0) : this.store.subarray(this.start, this.used);
  }

  /** `expected` is the final length, where known; it is a hint that is not trusted with more than a doubling. */
  append(bytes: Uint8Array, expected = 0): void {
    if (this.store === null || this.store.length < this.used + bytes.length) this.grow(this.length + bytes.length, expected);
    this.store!.set(bytes, this.used);
    this.used += bytes.length;
  }

  /** Drops the first bytes, without moving the others. */
  discard(count: number): void {
    this.start += count;
    if (this.length === 0) this.take();
  }

  /** Hands the bytes out and starts empty again. */
  take(): Buffer {
    const taken = this.view();
    this.store = null;
    this.start = this.used = 0;
    return taken;
  }

  private grow(needed: number, expected: number): void {
    const doubled = Math.max(smallest, needed, this.length * 2);
    const size = expected >= needed && expected < doubled ? expected : doubled;
    const grown = Buffer.allocUnsafeSlow(size);
    if (this.store !== null) this.used = this.store.copy(grown, 0, this.start, this.used);
    this.start = 0;
    this.store = grown;
  }
}
