import type { SpdyHeaders } from "./header-block.ts";
import { ResetStatus } from "./frames.ts";

/** What a stream asks of its session. */
export interface StreamSession {
  /** Whether the peers keep to windows. */
  readonly windows: boolean;
  /** How many bytes a stream with this send window may send now. */
  sendable(window: number): number;
  sendData(stream: SpdyStream, bytes: Uint8Array, fin: boolean): boolean;
  sendReset(stream: SpdyStream, status: number): void;
  /** The peer may send as many more bytes on the stream. */
  enlarge(stream: SpdyStream, bytes: number): void;
  forget(stream: SpdyStream): void;
  readonly queuedBytes: number;
  drained(): Promise<void>;
}

/** Of each stream and of the session, in both directions, unless SETTINGS say otherwise. */
export const defaultWindow = 64 << 10;

const ignore = (): void => {};

/** One stream of a session: two byte directions, each closed on its own. Set the callbacks at once. */
export class SpdyStream {
  onData: (bytes: Buffer) => void = ignore;
  /** The peer has closed its direction. */
  onEnd: () => void = ignore;
  /** Once, when the stream is over: both directions closed, reset (`status`), or the connection is gone (`null`). */
  onClose: (status: number | null) => void = ignore;
  /** Resolves with the peer's SYN_REPLY headers; rejects when the stream ends before. Only for streams we opened. */
  readonly replied: Promise<SpdyHeaders>;
  readonly reply: { resolve(headers: SpdyHeaders): void; reject(error: Error): void };
  sendWindow: number;
  private readonly queue: Uint8Array[] = [];
  private queued = 0;
  private endQueued = false;
  private ended = false;
  private peerEnded = false;
  private over = false;
  private paused = false;
  /** Delivered and not yet added to the peer's window again. */
  private unconsumed = 0;
  private waiting: (() => void)[] = [];

  constructor(readonly id: number, readonly headers: SpdyHeaders, private readonly session: StreamSession, window: number) {
    this.sendWindow = window;
    const { promise, resolve, reject } = Promise.withResolvers<SpdyHeaders>();
    promise.catch(ignore);
    this.replied = promise;
    this.reply = { resolve, reject };
  }

  /** False when the peer, or the connection, takes no more for now. Ignored once ended. */
  write(bytes: Uint8Array): boolean {
    if (this.endQueued || this.over) return false;
    if (bytes.length === 0) return this.queuedBytes === 0;
    this.queue.push(bytes);
    this.queued += bytes.length;
    return this.flush();
  }

  /** Closes our direction behind what is queued. */
  end(): void {
    if (this.endQueued || this.over) return;
    this.endQueued = true;
    this.flush();
  }

  reset(status: number = ResetStatus.Cancel): void {
    if (this.over) return;
    this.session.sendReset(this, status);
    this.close(status);
  }

  /** Of this stream, and of the connection below it. */
  get queuedBytes(): number {
    return this.queued + this.session.queuedBytes;
  }

  async drained(): Promise<void> {
    if (this.queued > 0 && !this.over) await new Promise<void>((resolve) => this.waiting.push(resolve));
    await this.session.drained();
  }

  /** Bytes that are delivered while paused are not acknowledged, so that the peer's window closes. */
  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.acknowledge();
  }

  // --- For the session.

  flush(): boolean {
    while (this.queue.length > 0) {
      const next = this.queue[0]!;
      const room = Math.min(this.session.sendable(this.sendWindow), next.length);
      if (room <= 0) return false;
      if (room === next.length) this.queue.shift();
      else this.queue[0] = next.subarray(room);
      this.queued -= room;
      this.ended = this.endQueued && this.queue.length === 0;
      this.session.sendData(this, next.subarray(0, room), this.ended);
    }
    if (this.endQueued && !this.ended) {
      this.ended = true;
      this.session.sendData(this, new Uint8Array(0), true);
    }
    for (const resolve of this.waiting.splice(0)) resolve();
    this.closeIfDone();
    return this.session.queuedBytes === 0;
  }

  receive(bytes: Buffer): void {
    if (this.peerEnded) return this.reset(ResetStatus.StreamAlreadyClosed);
    this.unconsumed += bytes.length;
    if (this.session.windows && this.unconsumed > defaultWindow) return this.reset(ResetStatus.FlowControlError);
    this.onData(bytes);
    if (!this.paused) this.acknowledge();
  }

  receiveEnd(): void {
    if (this.peerEnded || this.over) return;
    this.peerEnded = true;
    this.onEnd();
    this.closeIfDone();
  }

  close(status: number | null): void {
    if (this.over) return;
    this.over = true;
    this.queue.length = 0;
    this.queued = 0;
    this.session.forget(this);
    this.reply.reject(new Error(status === null ? "the connection closed" : `the stream was reset (${status})`));
    for (const resolve of this.waiting.splice(0)) resolve();
    this.onClose(status);
  }

  /** Reopens the peer's window when half of it is used; not for a peer that has ended. */
  private acknowledge(): void {
    if (this.over || this.peerEnded || this.unconsumed < defaultWindow / 2) return;
    this.session.enlarge(this, this.unconsumed);
    this.unconsumed = 0;
  }

  private closeIfDone(): void {
    if (this.ended && this.peerEnded) this.close(0);
  }
}
