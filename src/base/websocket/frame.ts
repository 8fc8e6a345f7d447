import { randomFillSync } from "node:crypto";

/** RFC 6455 section 5.2. */
export const Opcode = { Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 } as const;

export interface Frame {
  final: boolean;
  opcode: number;
  /** Unmasked. */
  payload: Buffer;
}

/** What the peer did wrong; `code` is the close code for it (RFC 6455 section 7.4.1). */
export class WebSocketError extends Error {
  override readonly name = "WebSocketError";
  constructor(readonly code: number, message: string) {
    super(message);
  }
}

/** One unfragmented frame. Clients mask, servers don't. */
export function encodeFrame(opcode: number, payload: Uint8Array, masked: boolean): Buffer {
  const length = payload.length;
  const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const start = 2 + lengthBytes + (masked ? 4 : 0);
  const frame = Buffer.allocUnsafe(start + length);
  frame[0] = 0x80 | opcode;
  frame[1] = (masked ? 0x80 : 0) | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) frame.writeUInt16BE(length, 2);
  else if (lengthBytes === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  frame.set(payload, start);
  if (masked) {
    randomFillSync(frame, start - 4, 4);
    applyMask(frame.subarray(start), frame.subarray(start - 4, start), 0);
  }
  return frame;
}

/** XORs `bytes` in place with the key, as if `offset` bytes of the payload had gone before. */
function applyMask(bytes: Buffer, key: Buffer, offset: number): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = bytes[i]! ^ key[(offset + i) & 3]!;
}

const longestHead = 14;

/** Cuts a byte stream into frames; nothing is scanned or copied twice, whatever the sizes of the pieces. */
export class FrameDecoder {
  private readonly head = Buffer.allocUnsafe(longestHead);
  private headLength = 0;
  private payload: Buffer | null = null;
  private received = 0;

  /** `masked`: what the peer's role demands. */
  constructor(private readonly masked: boolean, private readonly maxPayloadBytes: number) {}

  /** Calls `onFrame` for each frame that ends in `bytes`. Throws a `WebSocketError` for what RFC 6455 forbids; then stop. */
  feed(bytes: Buffer, onFrame: (frame: Frame) => void): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.payload === null) {
        at = this.feedHead(bytes, at);
        if (this.payload === null) return;
      }
      const end = Math.min(bytes.length, at + this.payload.length - this.received);
      const part = this.payload.subarray(this.received, this.received + end - at);
      bytes.copy(part, 0, at, end);
      if (this.masked) applyMask(part, this.head.subarray(this.headLength - 4, this.headLength), this.received);
      this.received += end - at;
      at = end;
      if (this.received < this.payload.length) return;
      const frame = { final: (this.head[0]! & 0x80) !== 0, opcode: this.head[0]! & 15, payload: this.payload };
      this.headLength = this.received = 0;
      this.payload = null;
      onFrame(frame);
    }
  }

  /** Collects the head byte by byte until its length is known and reached; then allocates the payload. */
  private feedHead(bytes: Buffer, from: number): number {
    let at = from;
    while (this.headLength < this.wantedHead()) {
      if (at === bytes.length) return at;
      this.head[this.headLength++] = bytes[at++]!;
    }
    const payload = Buffer.allocUnsafe(this.checkedLength());
    this.received = 0;
    this.payload = payload;
    return at;
  }

  private wantedHead(): number {
    if (this.headLength < 2) return 2;
    const length = this.head[1]! & 0x7f;
    return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + ((this.head[1]! & 0x80) !== 0 ? 4 : 0);
  }

  private checkedLength(): number {
    const [first, second] = [this.head[0]!, this.head[1]!];
    if ((first & 0x70) !== 0) throw new WebSocketError(1002, "reserved bits are set");
    if (((second & 0x80) !== 0) !== this.masked) throw new WebSocketError(1002, this.masked ? "a client's frame is not masked" : "a server's frame is masked");
    const short = second & 0x7f;
    const length = short === 126 ? this.head.readUInt16BE(2) : short === 127 ? Number(this.head.readBigUInt64BE(2)) : short;
    if ((short === 126 && length < 126) || (short === 127 && length < 65_536)) throw new WebSocketError(1002, "a length is not in its shortest form");
    if (((first & 0x08) !== 0) && (length > 125 || (first & 0x80) === 0)) throw new WebSocketError(1002, "a control frame is fragmented or too long");
    if (length > this.maxPayloadBytes) throw new WebSocketError(1009, "a frame is too large");
    return length;
  }
}
