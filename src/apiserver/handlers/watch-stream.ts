import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import type { StatusError } from "../../apimachinery/status.ts";
import { frameChunk, type HttpStream } from "../../base/http.ts";
import type { WatchEvent } from "../../client/client.ts";
import type { WatchEncoding } from "../encoding/encodings.ts";
import { errorEvent, type FrameCache, type WatchFormat } from "../encoding/watch-frames.ts";
import { withWarnings, type Exchange } from "../exchange.ts";

/** Events held for a client that has not yet read what was sent before; past that it is cut off, and lists again. Bytes. */
export const mostHeld = 4 << 20;
/** What is handed to the connection at once of what was held. Frames are shared among watchers, what lies in a connection's buffer is not. Bytes. */
const releasedAtOnce = 64 << 10;

/** Where a watch's events go. */
export interface WatchOutput {
  /** The client has been told that its watch goes on; errors are events from now on. */
  readonly started: boolean;
  start(): void;
  send(events: readonly WatchEvent<KubeObject>[]): void;
  fail(error: StatusError): void;
  end(): void;
}

export interface WatchOutputParts {
  exchange: Exchange;
  format: WatchFormat;
  encoding: WatchEncoding;
  frames: FrameCache;
  /** Ends the watch. */
  abort(): void;
}

/** Writes frames to one client as chunks of an answer, holding them back while it reads slowly. A long first batch (an initial list) may take its time. */
export class WatchStream implements WatchOutput {
  private stream: HttpStream | undefined;
  private held: Buffer[] | undefined;
  private heldBytes = 0;
  private anySent = false;
  private bookmarkAt = performance.now();

  constructor(private readonly parts: WatchOutputParts) {}

  get started(): boolean {
    return this.stream !== undefined;
  }

  start(): HttpStream {
    if (this.stream) return this.stream;
    const { exchange, encoding } = this.parts;
    exchange.status = 200;
    return this.stream = exchange.response.stream(200, withWarnings(exchange, { "Content-Type": encoding.mediaType, "Cache-Control": "no-cache, private" }));
  }

  send(events: readonly WatchEvent<KubeObject>[]): void {
    const { frames, format } = this.parts;
    const framed: Buffer[] = [];
    for (const event of events) {
      if (event.type === "BOOKMARK" && !this.wantsBookmark(event.object)) continue;
      const chosen = this.anySent ? format.next : format.first;
      this.anySent = true;
      const frame = frames.frame(event, chosen);
      if (frame.length > 0) framed.push(frame);
    }
    if (framed.length === 0) return;
    if (this.held) for (const frame of framed) this.write(frame);
    else this.write(framed.length === 1 ? framed[0]! : Buffer.concat(framed));
  }

  /** One that ends an initial list always; others not before their time. */
  private wantsBookmark({ metadata }: Frozen<KubeObject>): boolean {
    const { bookmarkMs } = this.parts.format, now = performance.now();
    if (!bookmarkMs || metadata.annotations) return true;
    if (now - this.bookmarkAt < bookmarkMs) return false;
    this.bookmarkAt = now;
    return true;
  }

  fail(error: StatusError): void {
    this.write(frameChunk(errorEvent(this.parts.encoding, error)));
  }

  private write(framed: Buffer): void {
    const stream = this.start();
    if (this.held) this.hold(stream, framed);
    else if (!stream.writeFramed(framed)) this.waitFor(stream, []);
  }

  private hold(stream: HttpStream, framed: Buffer): void {
    this.held!.push(framed);
    this.heldBytes += framed.length;
    if (this.heldBytes <= mostHeld) return;
    this.held = undefined;
    stream.abort();
    this.parts.abort();
  }

  /** Holds `frames` and all that follow until the client has read what it was sent. */
  private waitFor(stream: HttpStream, frames: Buffer[]): void {
    this.held = frames;
    this.heldBytes = frames.reduce((sum, { length }) => sum + length, 0);
    void stream.drained().then(() => this.release(stream));
  }

  private release(stream: HttpStream): void {
    const held = this.held;
    this.held = undefined;
    if (!held) return;
    for (let next = 0; next < held.length;) {
      const from = next;
      for (let bytes = 0; next < held.length && bytes < releasedAtOnce; next++) bytes += held[next]!.length;
      if (!stream.writeFramed(Buffer.concat(held.slice(from, next)))) return this.waitFor(stream, held.slice(next));
    }
  }

  end(): void {
    if (!this.stream) return;
    if (this.held?.length) this.stream.writeFramed(Buffer.concat(this.held));
    this.held = undefined;
    this.stream.end();
  }
}
