/**
 * What goes through a tunnel: frames, several to a WebSocket message. A frame is a byte that says its type, the number of its stream
 * and the length of its payload (both as variable-length integers, seven bits a byte, the low ones first), and the payload.
 */
export const FrameType = {
  /** Begins a stream; the payload is a request's head. Agents number theirs odd, servers even. */
  Open: 1,
  /** A response's head. */
  Head: 2,
  Data: 3,
  /** No more data from this side. */
  End: 4,
  /** The stream is over for both sides; the payload says why, in words. */
  Reset: 5,
  /** The payload, an integer, is how many bytes more of Data the peer may send. */
  Window: 6,
  /** A sign of life. In place of a stream's number stand `PingFlag`s. */
  Ping: 7,
  Pong: 8,
} as const;

export const PingFlag = {
  /** Please send a Pong. */
  Answer: 1,
  /** The kubelet says that all is as it last reported: renews the node's Lease. */
  Heartbeat: 2,
} as const;

/** The WebSocket subprotocol of this format. */
export const tunnelProtocol = "v1.tunnel.skiff.io";

/** What the peer did wrong: the tunnel can't go on. */
export class TunnelProtocolError extends Error {
  override readonly name = "TunnelProtocolError";
}

/** Bytes of a frame's payload at most: heads are the longest. */
export const mostPayload = 192 << 10;
/** A message is as long at most as its longest frame, and a little. */
export const mostMessage = mostPayload + (64 << 10);

const mostVarint = 2 ** 31;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return bytes;
}

export const frameHead = (type: number, stream: number, length: number): Buffer => Buffer.from([type, ...varint(stream), ...varint(length)]);

export const encodeFrame = (type: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer => Buffer.concat([frameHead(type, stream, payload.length), payload]);

export const windowFrame = (stream: number, credit: number): Buffer => encodeFrame(FrameType.Window, stream, Buffer.from(varint(credit)));

/** Reads a variable-length integer at `at`; tells it and what lies behind. */
export function readVarint(bytes: Buffer, at: number): [value: number, next: number] {
  let value = 0, factor = 1;
  for (let next = at; next < bytes.length && factor < mostVarint; next++, factor *= 128) {
    const byte = bytes[next]!;
    value += (byte & 127) * factor;
    if (byte < 128) return value < mostVarint ? [value, next + 1] : fail("an integer is too large");
  }
  return fail("an integer is cut off or too long");
}

/** Calls `onFrame` for each frame of a message; payloads are views. Throws a `TunnelProtocolError`. */
export function readFrames(message: Buffer, onFrame: (type: number, stream: number, payload: Buffer) => void): void {
  for (let at = 0; at < message.length;) {
    const type = message[at]!;
    const [stream, afterStream] = readVarint(message, at + 1);
    const [length, start] = readVarint(message, afterStream);
    if (length > message.length - start || length > mostPayload) fail("a frame is longer than its message");
    at = start + length;
    onFrame(type, stream, message.subarray(start, at));
  }
}

function fail(reason: string): never {
  throw new TunnelProtocolError(reason);
}
