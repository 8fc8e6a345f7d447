import type { WebSocketConnection } from "../websocket/websocket.ts";
import { encodeFrame, frameHead, FrameType, readFrames, readVarint, TunnelProtocolError, windowFrame } from "./frames.ts";
import { encodeRequestHead, type RequestHead } from "./heads.ts";
import { TunnelStream } from "./stream.ts";

export interface SessionOptions {
  side: "agent" | "server";
  /** Streams that the peer may have open at once; more are reset. */
  mostStreams: number;
  /** Bytes of all streams together that were received and not used, and as many that wait to be sent; the stream that brings more is reset. */
  mostBufferedBytes: number;
  /** The peer begins a stream. Counts as open until the promise resolves; it must not reject. */
  serve(stream: TunnelStream, head: Buffer): Promise<void>;
  /** `flags` of a Ping. */
  onPing?(flags: number): void;
  /** Anything has come from the peer. */
  onReceived?(): void;
}

/** What is handed to the connection at once, and what it may have unsent before it is given more. Bytes. */
const messageBytes = 16 << 10;
const sliceBytes = 8 << 10;
const queueBytes = 64 << 10;
/** Frames about streams that a peer who reads nothing lets pile up. */
const mostControlBytes = 2 << 20;

/**
 * Many streams over one WebSocket; both sides begin streams. What streams have to send goes round robin, in small slices, so that a
 * long copy delays others by a slice each. Takes the connection over: `closed` resolves with the reason when it is gone, and with it all streams.
 */
export class TunnelSession {
  readonly closed: Promise<string>;
  readonly #streams = new Map<number, TunnelStream>();
  readonly #ready = new Set<TunnelStream>();
  readonly #options: SessionOptions;
  #control: Buffer[] = [];
  #controlBytes = 0;
  #nextId: number;
  #lastPeerId = 0;
  /** Streams of the peer that are open or still being served. */
  #serving = 0;
  #heldBytes = 0;
  #queuedBytes = 0;
  #pumping = false;
  #over: string | undefined;
  #retire: () => unknown = () => undefined;
  #end!: (reason: string) => void;

  constructor(private readonly socket: WebSocketConnection, options: SessionOptions) {
    this.#options = options;
    this.#nextId = options.side === "agent" ? 1 : 2;
    this.closed = new Promise((resolve) => (this.#end = resolve));
    socket.onMessage = (message) => this.#message(message);
    socket.onClose = (code) => this.#finish(code === 1006 ? "the connection broke" : `the connection was closed (${code})`);
  }

  /** Streams open now. */
  get streams(): number {
    return this.#streams.size;
  }

  get isOpen(): boolean {
    return this.#over === undefined;
  }

  /** Begins a stream. Throws when the session is over or the head is too long. */
  open(head: RequestHead): TunnelStream {
    if (this.#over !== undefined) throw new Error(`the tunnel is closed: ${this.#over}`);
    const payload = encodeRequestHead(head);
    const stream = this.#begin(this.#nextId);
    this.#nextId += 2;
    this.#send(encodeFrame(FrameType.Open, stream.id, payload));
    return stream;
  }

  sendHead(stream: TunnelStream, payload: Buffer): void {
    if (!stream.closed) this.#send(encodeFrame(FrameType.Head, stream.id, payload));
  }

  ping(flags: number): void {
    this.#send(encodeFrame(FrameType.Ping, flags));
  }

  pong(): void {
    this.#send(encodeFrame(FrameType.Pong, 0));
  }

  /** Says goodbye to the peer; its streams end now. */
  close(code: number, reason: string): void {
    if (this.#over !== undefined) return;
    this.#finish(reason);
    this.socket.close(code, reason);
  }

  /** As `close`, once no stream is open: for who begins no more, on the side that has begun those there are. */
  retire(code: number, reason: string): void {
    this.#retire = () => this.#streams.size === 0 && this.close(code, reason);
    this.#retire();
  }

  /** For a peer that is gone. */
  destroy(reason: string): void {
    this.#finish(reason);
    this.socket.destroy();
  }

  // --- Receiving.

  #message(message: Buffer): void {
    if (this.#over !== undefined) return;
    this.#options.onReceived?.();
    try {
      readFrames(message, (type, id, payload) => this.#frame(type, id, payload));
    } catch (error) {
      if (!(error instanceof TunnelProtocolError)) throw error;
      this.close(1002, error.message);
    }
  }

  #frame(type: number, id: number, payload: Buffer): void {
    if (this.#over !== undefined) return;
    const { onPing } = this.#options;
    if (type === FrameType.Ping) return onPing?.(id);
    if (type === FrameType.Pong) return;
    if (type === FrameType.Open) return this.#accept(id, payload);
    const stream = this.#streams.get(id);
    // One that is over here, which the peer may not know yet.
    if (stream === undefined) return this.#checkKnown(id);
    if (type === FrameType.Data) this.#data(stream, payload);
    else if (type === FrameType.Head) stream.receiveHead(payload);
    else if (type === FrameType.End) stream.receiveEnd();
    else if (type === FrameType.Window) stream.grant(readVarint(payload, 0)[0]);
    else if (type === FrameType.Reset) stream.close(payload.toString() || "canceled");
    else throw new TunnelProtocolError(`unknown frame type ${type}`);
  }

  #checkKnown(id: number): void {
    const ours = id % 2 === this.#nextId % 2;
    if (id === 0 || (ours ? id >= this.#nextId : id > this.#lastPeerId)) throw new TunnelProtocolError("a frame of a stream that was not begun");
  }

  #data(stream: TunnelStream, payload: Buffer): void {
    this.#heldBytes += payload.length;
    if (!stream.receive(payload)) throw new TunnelProtocolError("more data than the stream's window");
    if (this.#heldBytes > this.#options.mostBufferedBytes) stream.destroy("too much unread data in this tunnel");
  }

  #accept(id: number, head: Buffer): void {
    if (id % 2 === this.#nextId % 2 || id <= this.#lastPeerId) throw new TunnelProtocolError("a stream was begun with a wrong number");
    this.#lastPeerId = id;
    if (this.#serving >= this.#options.mostStreams) return this.#send(encodeFrame(FrameType.Reset, id, Buffer.from("too many streams in this tunnel")));
    this.#serving++;
    const stream = this.#begin(id);
    void this.#options.serve(stream, head).finally(() => this.#serving--);
  }

  // --- Sending.

  #begin(id: number): TunnelStream {
    const stream = new TunnelStream({
      ready: (one) => {
        this.#ready.add(one);
        this.#schedule();
      },
      credit: (one, bytes) => this.#send(windowFrame(one.id, bytes)),
      reset: (one, reason) => this.#send(encodeFrame(FrameType.Reset, one.id, Buffer.from(reason))),
      used: (bytes) => (this.#heldBytes -= bytes),
      queued: (bytes) => (this.#queuedBytes += bytes) <= this.#options.mostBufferedBytes,
      forget: (one) => {
        this.#streams.delete(one.id);
        this.#ready.delete(one);
        this.#retire();
      },
    }, id);
    this.#streams.set(id, stream);
    return stream;
  }

  #send(frame: Buffer): void {
    if (this.#over !== undefined) return;
    this.#control.push(frame);
    this.#controlBytes += frame.length;
    if (this.#controlBytes > mostControlBytes) return this.destroy("the peer does not read");
    this.#schedule();
  }

  /** Soon, so that what is written in one turn goes in one message. */
  #schedule(): void {
    if (this.#pumping || this.#over !== undefined) return;
    this.#pumping = true;
    queueMicrotask(() => this.#pump());
  }

  #pump(): void {
    while (this.#over === undefined && (this.#control.length > 0 || this.#ready.size > 0)) {
      if (this.socket.queuedBytes > queueBytes) {
        void this.socket.drained().then(() => this.#pump());
        return;
      }
      const message = this.#nextMessage();
      if (message.length > 0) this.socket.send(message);
    }
    this.#pumping = false;
  }

  #nextMessage(): Buffer {
    const parts: Uint8Array[] = [];
    let size = 0, next = 0;
    for (; next < this.#control.length && size < messageBytes; next++) {
      parts.push(this.#control[next]!);
      size += this.#control[next]!.length;
    }
    this.#control.splice(0, next);
    this.#controlBytes -= size;
    for (const stream of this.#ready) {
      if (size >= messageBytes) break;
      this.#ready.delete(stream);
      const slice = stream.take(sliceBytes);
      if (slice) {
        const head = frameHead(FrameType.Data, stream.id, slice.length);
        parts.push(head, slice);
        size += head.length + slice.length;
      }
      if (stream.takeEnd()) parts.push(encodeFrame(FrameType.End, stream.id));
      // Behind all others.
      if (stream.sendable) this.#ready.add(stream);
    }
    return Buffer.concat(parts);
  }

  #finish(reason: string): void {
    if (this.#over !== undefined) return;
    this.#over = reason;
    this.#control = [];
    for (const stream of this.#streams.values()) stream.close(reason);
    this.#ready.clear();
    this.#end(reason);
  }
}
