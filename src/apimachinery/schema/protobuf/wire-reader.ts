/** Reads protobuf's wire format. Every method throws a RangeError for bytes that aren't that, or end too soon. */
export class WireReader {
  at = 0;
  constructor(readonly bytes: Buffer) {}

  /** An unsigned integer: a tag, a length, or a number's bits. At most 2^53. */
  varint(): number {
    let value = 0, factor = 1;
    for (let i = 0; i < 7; i++) {
      const byte = this.#next();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
    const rest = this.#longVarint();
    if (rest >= 16n) throw new RangeError("integer overflow");
    return value + Number(rest) * factor;
  }

  /** A signed 64-bit integer, which must be one that a number holds exactly. */
  integer(): number {
    const start = this.at;
    for (let i = 0; i < 7; i++) {
      if (this.#next() >= 128) continue;
      this.at = start;
      return this.varint();
    }
    this.at = start;
    const value = Number(BigInt.asIntN(64, this.#longVarint()));
    if (!Number.isSafeInteger(value)) throw new RangeError("integers beyond 2^53 are not supported");
    return value;
  }

  boolean(): boolean {
    return this.#longVarint() !== 0n;
  }

  #longVarint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#next();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new RangeError("integer overflow");
  }

  #next(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw unexpectedEnd();
    return byte;
  }

  double(): number {
    const at = this.at;
    this.#skipBytes(8);
    return this.bytes.readDoubleLE(at);
  }

  /** The end of a length-delimited value, whose length is read. */
  end(limit: number): number {
    const end = this.varint() + this.at;
    if (end > limit) throw unexpectedEnd();
    return end;
  }

  text(limit: number): string {
    const end = this.end(limit);
    const text = this.bytes.toString("utf8", this.at, end);
    this.at = end;
    return text;
  }

  slice(limit: number): Buffer {
    const end = this.end(limit);
    const slice = this.bytes.subarray(this.at, end);
    this.at = end;
    return slice;
  }

  /** Passes over the value of a field that nobody knows. */
  skip(wire: number, limit: number): void {
    switch (wire) {
      case 0: this.#longVarint(); return;
      case 1: this.#skipBytes(8); return;
      case 2: this.at = this.end(limit); return;
      case 5: this.#skipBytes(4); return;
      default: throw new RangeError(`wrong wire type ${wire}`);
    }
  }

  #skipBytes(count: number): void {
    this.at += count;
    if (this.at > this.bytes.length) throw unexpectedEnd();
  }
}

const unexpectedEnd = (): RangeError => new RangeError("unexpected EOF");
