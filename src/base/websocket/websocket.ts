import { isUtf8 } from "node:buffer";
import type { RawConnection } from "../http.ts";
import { GrowingBuffer } from "../stream/growing-buffer.ts";
import { encodeFrame, FrameDecoder, Opcode, WebSocketError, type Frame } from "./frame.ts";

/** No status was in the peer's Close frame; the connection broke without one (RFC 6455 section 7.4.1). */
export const noStatus = 1005;
export const abnormal = 1006;

const maxMessageBytes = 16 << 20;
/** How long the peer may take to answer our Close. */
const closeTimeoutMs = 2_000;
/** A peer that sends pings but reads nothing gets no more pongs. */
const mostQueuedForPong = 64 << 10;

export interface WebSocketOptions {
  role: "server" | "client";
  /** Of a whole message; a longer one closes the connection with 1009. */
  maxMessageBytes?: number;
}

/** RFC 6455 over a connection whose handshake is done. Set `onMessage` and `onClose` at once. Pings are answered here. */
export class WebSocketConnection {
  onMessage: (payload: Buffer, binary: boolean) => void = () => {};
  /** Once, after the last message: the peer's close code, `noStatus` or `abnormal`. */
  onClose: (code: number) => void = () => {};
  private readonly decoder: FrameDecoder;
  private readonly masks: boolean;
  private readonly limit: number;
  private readonly fragments = new GrowingBuffer();
  private fragmentOpcode: number | null = null;
  private closeSent = false;
  private ended = false;
  private peerCode: number = abnormal;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly raw: RawConnection, options: WebSocketOptions) {
    this.limit = options.maxMessageBytes ?? maxMessageBytes;
    this.masks = options.role === "client";
    this.decoder = new FrameDecoder(options.role === "server", this.limit);
    raw.onData = (bytes) => this.data(bytes);
    raw.onClose = () => this.closed();
  }

  /** False when bytes are queued; ignored once closing. */
  send(payload: Uint8Array, binary = true): boolean {
    return !this.closeSent && this.raw.write(encodeFrame(binary ? Opcode.Binary : Opcode.Text, payload, this.masks));
  }

  ping(payload: Uint8Array = Buffer.alloc(0)): void {
    if (!this.closeSent) this.raw.write(encodeFrame(Opcode.Ping, payload, this.masks));
  }

  get queuedBytes(): number {
    return this.raw.queuedBytes;
  }

  drained(): Promise<void> {
    return this.raw.drained();
  }

  /** Messages already read may still be delivered. */
  pause(): void {
    this.raw.pause();
  }

  resume(): void {
    this.raw.resume();
  }

  /** Sends Close behind what is queued, waits a little for the peer's, and closes. */
  close(code = 1000, reason = ""): void {
    if (this.closeSent) return;
    this.sendClose(code, reason);
    this.raw.resume();
    this.timer = setTimeout(() => this.raw.end(), closeTimeoutMs);
  }

  destroy(): void {
    this.raw.destroy();
  }

  private data(bytes: Buffer): void {
    if (this.ended) return;
    try {
      this.decoder.feed(bytes, (frame) => this.frame(frame));
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error;
      this.ended = true;
      this.sendClose(error.code, error.message);
      this.raw.end();
    }
  }

  private frame(frame: Frame): void {
    if (this.ended) return;
    switch (frame.opcode) {
      case Opcode.Continuation:
      case Opcode.Text:
      case Opcode.Binary:
        return this.dataFrame(frame);
      case Opcode.Close:
        return this.closeFrame(frame.payload);
      case Opcode.Ping:
        if (!this.closeSent && this.raw.queuedBytes < mostQueuedForPong) this.raw.write(encodeFrame(Opcode.Pong, frame.payload, this.masks));
        return;
      case Opcode.Pong:
        return;
      default:
        throw new WebSocketError(1002, "unknown opcode");
    }
  }

  private dataFrame({ final, opcode, payload }: Frame): void {
    if ((opcode === Opcode.Continuation) !== (this.fragmentOpcode !== null)) throw new WebSocketError(1002, "a message is continued that was not begun, or begun inside another");
    if (final && opcode !== Opcode.Continuation) return this.message(payload, opcode);
    this.fragmentOpcode ??= opcode;
    if (this.fragments.length + payload.length > this.limit) throw new WebSocketError(1009, "a message is too large");
    this.fragments.append(payload);
    if (!final) return;
    const begunAs = this.fragmentOpcode;
    this.fragmentOpcode = null;
    this.message(this.fragments.take(), begunAs);
  }

  private message(payload: Buffer, opcode: number): void {
    if (opcode === Opcode.Text && !isUtf8(payload)) throw new WebSocketError(1007, "a text message is not UTF-8");
    this.onMessage(payload, opcode === Opcode.Binary);
  }

  private closeFrame(payload: Buffer): void {
    if (payload.length === 1) throw new WebSocketError(1002, "malformed close");
    const code = payload.length === 0 ? noStatus : payload.readUInt16BE(0);
    if (payload.length > 0 && !isCloseCode(code)) throw new WebSocketError(1002, "invalid close code");
    if (!isUtf8(payload.subarray(2))) throw new WebSocketError(1007, "a close reason is not UTF-8");
    this.ended = true;
    this.peerCode = code;
    if (!this.closeSent) this.sendClose(code, "");
    this.raw.end();
  }

  private sendClose(code: number, reason: string): void {
    if (this.closeSent) return;
    const text = Buffer.from(reason).subarray(0, 123);
    const payload = Buffer.alloc(code === noStatus ? 0 : 2 + text.length);
    if (code !== noStatus) {
      payload.writeUInt16BE(code, 0);
      payload.set(text, 2);
    }
    this.raw.write(encodeFrame(Opcode.Close, payload, this.masks));
    this.closeSent = true;
  }

  private closed(): void {
    clearTimeout(this.timer);
    this.ended = this.closeSent = true;
    this.onClose(this.peerCode);
  }
}

const isCloseCode = (code: number): boolean => (code >= 1000 && code <= 1014 && code !== 1004 && code !== noStatus && code !== abnormal) || (code >= 3000 && code <= 4999);
