/** SPDY/3.1 framing (draft-mbelshe-httpbis-spdy-00 section 2.2, with the session window of 3.1). */
export const FrameType = { SynStream: 1, SynReply: 2, RstStream: 3, Settings: 4, Ping: 6, GoAway: 7, Headers: 8, WindowUpdate: 9 } as const;
export const Flag = { Fin: 1, Unidirectional: 2 } as const;
export const ResetStatus = { ProtocolError: 1, InvalidStream: 2, RefusedStream: 3, Cancel: 5, InternalError: 6, FlowControlError: 7, StreamInUse: 8, StreamAlreadyClosed: 9 } as const;
export const GoAwayStatus = { Ok: 0, ProtocolError: 1, InternalError: 2 } as const;
/** The id of SETTINGS_INITIAL_WINDOW_SIZE. */
export const initialWindowSetting = 7;

const version = 3;
export const headBytes = 8;

export interface ControlFrame {
  type: number;
  flags: number;
  payload: Buffer;
}

export function encodeControl(type: number, flags: number, ...payload: readonly (number | Buffer)[]): Buffer {
  const length = payload.reduce<number>((size, part) => size + (typeof part === "number" ? 4 : part.length), 0);
  const frame = Buffer.allocUnsafe(headBytes + length);
  frame.writeUInt16BE(0x8000 | version, 0);
  frame.writeUInt16BE(type, 2);
  frame.writeUInt32BE(((flags << 24) | length) >>> 0, 4);
  let at = headBytes;
  for (const part of payload) {
    if (typeof part === "number") at = frame.writeUInt32BE(part >>> 0, at);
    else {
      frame.set(part, at);
      at += part.length;
    }
  }
  return frame;
}

export function encodeData(streamId: number, payload: Uint8Array, fin: boolean): Buffer {
  const frame = Buffer.allocUnsafe(headBytes + payload.length);
  frame.writeUInt32BE(streamId, 0);
  frame.writeUInt32BE(((fin ? Flag.Fin << 24 : 0) | payload.length) >>> 0, 4);
  frame.set(payload, headBytes);
  return frame;
}

export interface FrameSink {
  control(frame: ControlFrame): void;
  /** Called for every piece of a data frame as it arrives; `last` with the final one, which may be empty. */
  data(streamId: number, bytes: Buffer, last: boolean, flags: number): void;
}

/** A control frame has to be complete before it is read; this is more than any header block needs. */
const maxControlBytes = 64 << 10;

/** Cuts a byte stream into frames. Data is passed on as it comes, so that no frame size has to be feared. */
export class FrameReader {
  private readonly head = Buffer.allocUnsafe(headBytes);
  private headLength = 0;
  private control: Buffer | null = null;
  private left = 0;

  constructor(private readonly sink: FrameSink) {}

  /** Throws when a frame is malformed; then the connection is useless. */
  feed(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.headLength < headBytes) {
        const taken = Math.min(headBytes - this.headLength, bytes.length - at);
        bytes.copy(this.head, this.headLength, at, at + taken);
        this.headLength += taken;
        at += taken;
        if (this.headLength < headBytes) return;
        this.begin();
      } else {
        const taken = Math.min(this.left, bytes.length - at);
        this.left -= taken;
        if (this.control !== null) bytes.copy(this.control, this.control.length - this.left - taken, at, at + taken);
        else this.passOn(bytes.subarray(at, at + taken));
        at += taken;
      }
      if (this.left === 0) this.end();
    }
  }

  private begin(): void {
    this.left = this.head.readUIntBE(5, 3);
    if ((this.head[0]! & 0x80) === 0) {
      if (this.left === 0) this.passOn(Buffer.alloc(0));
      return;
    }
    if ((this.head.readUInt16BE(0) & 0x7fff) !== version) throw new Error("not SPDY version 3");
    if (this.left > maxControlBytes) throw new Error("a control frame is too large");
    this.control = Buffer.allocUnsafe(this.left);
  }

  private end(): void {
    const payload = this.control;
    this.control = null;
    this.headLength = 0;
    if (payload !== null) this.sink.control({ type: this.head.readUInt16BE(2), flags: this.head[4]!, payload });
  }

  private passOn(bytes: Buffer): void {
    this.sink.data(this.head.readUInt32BE(0), bytes, this.left === 0, this.head[4]!);
  }
}
