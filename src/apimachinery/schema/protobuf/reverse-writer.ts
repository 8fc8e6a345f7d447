/**
 * Writes protobuf from its end to its beginning, as Go's generated code does: a message's length is known when it is to be written.
 * One buffer serves all messages; `take` copies what was written out of it.
 */
export class ReverseWriter {
  #bytes = Buffer.allocUnsafeSlow(64 << 10);
  #at = this.#bytes.length;

  /** Bytes written so far. */
  get length(): number {
    return this.#bytes.length - this.#at;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[--this.#at] = value;
  }

  /** An integer below 2^63; negative ones as their two's complement in 64 bits. */
  varint(value: number): void {
    if (value >= 0 && value < 128) return this.byte(value);
    if (value < 0 || value > Number.MAX_SAFE_INTEGER) return this.#long(BigInt.asUintN(64, BigInt(value)));
    const groups: number[] = [];
    for (; value > 127; value = Math.floor(value / 128)) groups.push((value % 128) | 128);
    groups.push(value);
    this.#append(groups);
  }

  #long(value: bigint): void {
    const groups: number[] = [];
    for (; value > 127n; value >>= 7n) groups.push(Number(value & 127n) | 128);
    groups.push(Number(value));
    this.#append(groups);
  }

  #append(groups: readonly number[]): void {
    this.#reserve(groups.length);
    for (let i = groups.length - 1; i >= 0; i--) this.#bytes[--this.#at] = groups[i]!;
  }

  double(value: number): void {
    this.#reserve(8);
    this.#bytes.writeDoubleLE(value, this.#at -= 8);
  }

  /** A length and text as UTF-8. */
  text(value: string): void {
    if (value.length > 40 || !this.#ascii(value)) {
      const length = Buffer.byteLength(value);
      this.#reserve(length);
      this.#bytes.write(value, this.#at -= length, length, "utf8");
      this.varint(length);
    }
  }

  /** Short texts byte by byte; false, and nothing written, when it isn't ASCII. */
  #ascii(value: string): boolean {
    const { length } = value;
    this.#reserve(length + 1);
    let at = this.#at;
    for (let i = length - 1; i >= 0; i--) {
      const code = value.charCodeAt(i);
      if (code > 127) return false;
      this.#bytes[--at] = code;
    }
    this.#bytes[--at] = length;
    this.#at = at;
    return true;
  }

  /** Bytes as they are. */
  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#at -= value.length);
  }

  /** A length and bytes. */
  bytes(value: Uint8Array): void {
    this.raw(value);
    this.varint(value.length);
  }

  /** The length of what was written since `length` was `before`. */
  lengthSince(before: number): void {
    this.varint(this.length - before);
  }

  /** A copy of all that was written; the writer is empty again. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(this.#at));
    this.clear();
    return taken;
  }

  /** Forgets what was written, and gives back the room of an unusually large message. */
  clear(): void {
    if (this.#bytes.length > 1 << 20) this.#bytes = Buffer.allocUnsafeSlow(64 << 10);
    this.#at = this.#bytes.length;
  }

  #reserve(size: number): void {
    if (this.#at >= size) return;
    const { length } = this;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, 2 * (length + size)));
    this.#bytes.copy(larger, larger.length - length, this.#at);
    this.#at = larger.length - length;
    this.#bytes = larger;
  }
}
