/** A message with its length before it (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(5 + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, 5);
  return framed;
}

/** Cuts the byte stream into length-prefixed messages. */
export class FrameReader {
  /** What has arrived and is not a whole message yet; joined once it is, however many pieces it came in. */
  #pieces: Buffer[] = [];
  #arrived = 0;
  #wanted = 5;
  constructor(readonly onMessage: (message: Uint8Array) => void) {}

  push(bytes: Buffer): void {
    this.#pieces.push(bytes);
    this.#arrived += bytes.length;
    while (this.#arrived >= this.#wanted) {
      const all = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
      this.#pieces = [all];
      const end = 5 + all.readUInt32BE(1);
      this.#wanted = end;
      if (this.#arrived < end) return;
      this.#keep(all.subarray(end));
      this.onMessage(all.subarray(5, end));
    }
  }

  #keep(rest: Buffer): void {
    this.#pieces = rest.length > 0 ? [rest] : [];
    this.#arrived = rest.length;
    this.#wanted = 5;
  }
}
