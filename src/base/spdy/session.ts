import type { RawConnection } from "../http.ts";
import { encodeControl, encodeData, Flag, FrameReader, FrameType, GoAwayStatus, initialWindowSetting, ResetStatus, type ControlFrame } from "./frames.ts";
import { HeaderDecoder, HeaderEncoder, type SpdyHeaders } from "./header-block.ts";
import { defaultWindow, SpdyStream, type StreamSession } from "./stream.ts";

const largestWindow = 0x7fffffff;
/** Stands for the session in WINDOW_UPDATE. */
const sessionStream = 0;
/** Small enough that streams take turns. */
const maxDataBytes = 32 << 10;
const largestId = 0x7fffffff;

export interface SpdyOptions {
  role: "server" | "client";
  /**
   * `spdy`: windows as SPDY/3.1 has them. `none`: neither kept nor expected, as Kubernetes' and containerd's SPDY library does it: its peers
   * would never enlarge a window. The connection's own back pressure is all there is then.
   */
  flowControl: "spdy" | "none";
  /** Streams the peer may have open at once; more are refused. */
  maxStreams?: number;
  /** Of every SYN_REPLY; none for Kubernetes' streams, which carry no HTTP. */
  replyHeaders?: SpdyHeaders;
}

/** SPDY/3.1 over a connection whose upgrade is done. Set `onStream` and `onClose` at once. Pings are answered here. */
export class SpdySession {
  /** The peer opened a stream, and its reply is sent; `reset` refuses it. */
  onStream: (stream: SpdyStream) => void = (stream) => stream.reset(ResetStatus.RefusedStream);
  /** Once, when the connection is gone; every stream's `onClose` came before. With an error when the peer broke the protocol. */
  onClose: (error: Error | null) => void = () => {};
  /** The peer opens no more streams and takes none. */
  goneAway = false;
  private readonly streams = new Map<number, SpdyStream>();
  private readonly encoder = new HeaderEncoder();
  private readonly decoder = new HeaderDecoder();
  private readonly reader: FrameReader;
  private readonly windows: boolean;
  private sessionWindow = defaultWindow;
  private streamWindow = defaultWindow;
  private nextId: number;
  private lastPeerId = 0;
  /** Bytes received that the peer's session window has not been given back. */
  private unacknowledged = 0;
  private closed = false;
  private failure: Error | null = null;
  private readonly port: StreamSession;

  constructor(private readonly raw: RawConnection, private readonly options: SpdyOptions) {
    this.windows = options.flowControl === "spdy";
    this.nextId = options.role === "client" ? 1 : 2;
    this.reader = new FrameReader({ control: (frame) => this.control(frame), data: (id, bytes, last, flags) => this.data(id, bytes, last, flags) });
    this.port = {
      windows: this.windows,
      sendable: (window) => this.windows ? Math.min(window, this.sessionWindow, maxDataBytes) : maxDataBytes,
      sendData: (stream, bytes, fin) => this.sendData(stream, bytes, fin),
      sendReset: (stream, status) => void this.raw.write(encodeControl(FrameType.RstStream, 0, stream.id, status)),
      enlarge: (stream, bytes) => {
        if (this.windows) this.raw.write(encodeControl(FrameType.WindowUpdate, 0, stream.id, bytes));
      },
      forget: (stream) => this.streams.delete(stream.id),
      get queuedBytes() {
        return raw.queuedBytes;
      },
      drained: () => raw.drained(),
    };
    raw.onData = (bytes) => this.feed(bytes);
    raw.onClose = () => this.close();
  }

  /** Opens a stream; write to it at once, or wait for `replied`. `half`: we will send nothing. */
  open(headers: SpdyHeaders, { half = false }: { half?: boolean } = {}): SpdyStream {
    if (this.closed || this.goneAway || this.nextId > largestId) throw new Error("the SPDY session takes no more streams");
    const id = this.nextId;
    this.nextId += 2;
    const stream = new SpdyStream(id, headers, this.port, this.streamWindow);
    this.streams.set(id, stream);
    this.raw.write(encodeControl(FrameType.SynStream, 0, id, 0, Buffer.from([0, 0]), this.encoder.encode(headers)));
    if (half) stream.end();
    return stream;
  }

  /** Sends GOAWAY and ends the connection behind what is queued. */
  end(status: number = GoAwayStatus.Ok): void {
    if (this.closed) return;
    this.raw.write(encodeControl(FrameType.GoAway, 0, this.lastPeerId, status));
    this.raw.end();
  }

  destroy(): void {
    this.raw.destroy();
  }

  get queuedBytes(): number {
    return this.raw.queuedBytes;
  }

  /** Stops reading from the connection: the back pressure for sessions without flow control. */
  pause(): void {
    this.raw.pause();
  }

  resume(): void {
    this.raw.resume();
  }

  private feed(bytes: Buffer): void {
    if (this.failure !== null) return;
    try {
      this.reader.feed(bytes);
    } catch (error) {
      this.failure = error as Error;
      this.end(GoAwayStatus.ProtocolError);
    }
  }

  private close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const stream of this.streams.values()) stream.close(null);
    this.onClose(this.failure);
  }

  private control({ type, flags, payload }: ControlFrame): void {
    const id = payload.length >= 4 ? payload.readUInt32BE(0) & largestId : 0;
    switch (type) {
      case FrameType.SynStream:
        return this.synStream(id, flags, payload);
      case FrameType.SynReply:
      case FrameType.Headers: {
        const headers = this.decoder.decode(payload.subarray(4)); // always: the blocks of a connection are one zlib stream
        const stream = this.streams.get(id);
        if (type === FrameType.SynReply) stream?.reply.resolve(headers);
        if ((flags & Flag.Fin) !== 0) stream?.receiveEnd();
        return;
      }
      case FrameType.RstStream:
        return this.streams.get(id)?.close(payload.readUInt32BE(4));
      case FrameType.Settings:
        return this.settings(payload);
      case FrameType.Ping:
        if ((payload.readUInt32BE(0) & 1) === (this.options.role === "server" ? 1 : 0)) this.raw.write(encodeControl(FrameType.Ping, 0, payload));
        return;
      case FrameType.GoAway:
        this.goneAway = true;
        return;
      case FrameType.WindowUpdate:
        return this.windowUpdate(id, payload.readUInt32BE(4) & largestWindow);
      default: // SPDY/3.1 section 2.2.1: unknown frames are ignored
    }
  }

  private synStream(id: number, flags: number, payload: Buffer): void {
    const headers = this.decoder.decode(payload.subarray(10));
    const fromServer = id % 2 === 0;
    if (id === 0 || id <= this.lastPeerId || fromServer === (this.options.role === "server")) throw new Error("a stream id is out of order");
    this.lastPeerId = id;
    const stream = new SpdyStream(id, headers, this.port, this.streamWindow);
    if (this.streams.size >= (this.options.maxStreams ?? 1024)) return stream.reset(ResetStatus.RefusedStream);
    this.streams.set(id, stream);
    if ((flags & Flag.Unidirectional) === 0) this.raw.write(encodeControl(FrameType.SynReply, 0, id, this.encoder.encode(this.options.replyHeaders ?? {})));
    this.onStream(stream);
    if ((flags & Flag.Unidirectional) !== 0) stream.end();
    if ((flags & Flag.Fin) !== 0) stream.receiveEnd();
  }

  private data(id: number, bytes: Buffer, last: boolean, flags: number): void {
    const stream = this.streams.get(id);
    this.received(bytes.length);
    if (stream === undefined) {
      const fromPeer = (id % 2 === 0) === (this.options.role === "client");
      const never = fromPeer ? id > this.lastPeerId : id >= this.nextId;
      if (last && never) this.raw.write(encodeControl(FrameType.RstStream, 0, id, ResetStatus.InvalidStream));
      return;
    }
    if (bytes.length > 0) stream.receive(bytes);
    if (last && (flags & Flag.Fin) !== 0) stream.receiveEnd();
  }

  private sendData(stream: SpdyStream, bytes: Uint8Array, fin: boolean): boolean {
    if (this.windows) {
      stream.sendWindow -= bytes.length;
      this.sessionWindow -= bytes.length;
    }
    return this.raw.write(encodeData(stream.id, bytes, fin));
  }

  /** The session's window is reopened as bytes arrive: one stream that is not read must not stop the others, and has a window of its own. */
  private received(bytes: number): void {
    this.unacknowledged += bytes;
    if (!this.windows || this.closed || this.unacknowledged < defaultWindow / 2) return;
    this.raw.write(encodeControl(FrameType.WindowUpdate, 0, sessionStream, this.unacknowledged));
    this.unacknowledged = 0;
  }

  private windowUpdate(id: number, bytes: number): void {
    if (!this.windows) return;
    if (id === sessionStream) {
      this.sessionWindow += bytes;
      if (this.sessionWindow > largestWindow) throw new Error("the session window overflows");
      for (const stream of this.streams.values()) stream.flush();
      return;
    }
    const stream = this.streams.get(id);
    if (stream === undefined) return;
    stream.sendWindow += bytes;
    if (stream.sendWindow > largestWindow) stream.reset(ResetStatus.FlowControlError);
    else stream.flush();
  }

  /** Of the peer's settings only the initial window concerns us; it also moves the windows of open streams. */
  private settings(payload: Buffer): void {
    const count = payload.readUInt32BE(0);
    for (let at = 4, left = count; left > 0; at += 8, left--) {
      if (payload.readUIntBE(at + 1, 3) !== initialWindowSetting) continue;
      const window = payload.readUInt32BE(at + 4) & largestWindow;
      const change = window - this.streamWindow;
      this.streamWindow = window;
      for (const stream of this.streams.values()) {
        stream.sendWindow += change;
        stream.flush();
      }
    }
  }
}
