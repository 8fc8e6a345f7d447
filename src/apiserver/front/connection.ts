import type { HeaderFields, HttpHandler, RawConnection } from "../../base/http.ts";
import { logger } from "../../base/log.ts";
import { StatusError } from "../../apimachinery/status.ts";
import { unmapped } from "../../base/ip.ts";
import type { Deadlines, Timed } from "./deadlines.ts";
import { Exchange, Response } from "./exchange.ts";
import type { FrontLimits } from "./front.ts";
import { GrowingBuffer } from "../../base/stream/growing-buffer.ts";
import { Output, type ByteSocket } from "../../base/stream/output.ts";
import { SocketConnection } from "../../base/stream/raw-connection.ts";
import { anonymous, type Identity } from "./peer.ts";
import { refusal, statusOf } from "./refusal.ts";
import { findHeadEnd, headEnd, incomplete, lists, parseRequestHead } from "./request-head.ts";
import { renderResponseHead } from "./response-head.ts";

const log = logger("front");
const continues = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");
const empty = Buffer.alloc(0);
/** Unread bytes (a body nobody has asked for, pipelined requests) beyond which the socket is paused. */
const readAheadBytes = 64 << 10;
/** How long the client may take to notice that we have closed, before the connection is cut. */
const lingerMs = 2_000;

const enum State { Header, Exchange, Streaming, Raw, Closing }

/** What all connections of a front share. */
export interface Shared {
  handler: HttpHandler;
  limits: FrontLimits;
  deadlines: Deadlines;
  /** True once the front is stopping: no connection is kept alive. */
  stopping: boolean;
}

/**
 * One client connection: requests one after the other, as HTTP/1.1 asks, then perhaps raw bytes. Driven by the listener through
 * `data`, `drain` and `closed`; `deadline` is the moment by which the client has to have done what we wait for.
 */
export class Connection implements Timed {
  deadline: number;
  /** Set when the handshake is done; nobody until then. */
  identity: Identity = anonymous;
  private state = State.Header;
  private readonly output: Output;
  private pending: GrowingBuffer | null = null;
  /** How much of `pending` was searched for the end of a header. */
  private searched = 0;
  private exchange: Exchange | null = null;
  private raw: SocketConnection | null = null;
  /** While requests are read out of a buffer: the buffer, and how much of it is used. */
  private parsing: Buffer | null = null;
  private parsedTo = 0;
  private paused = false;
  /** Body bytes that had come when the current body deadline was set. */
  private bodyMark = 0;

  constructor(private readonly socket: ByteSocket, private readonly shared: Shared) {
    this.output = new Output(socket);
    this.deadline = performance.now() + shared.limits.headerTimeoutMs;
    shared.deadlines.add(this);
  }

  get remoteAddress(): string {
    return unmapped(this.socket.remoteAddress);
  }

  get queuedBytes(): number {
    return this.output.queuedBytes;
  }

  // --- What the socket reports.

  data(bytes: Buffer): void {
    if (this.state === State.Closing) return;
    if (this.raw !== null) return this.raw.deliver(bytes);
    const at = this.exchange === null ? 0 : this.feedBody(this.exchange, bytes, 0);
    if (this.exchange !== null || this.pending !== null) this.keep(bytes, at);
    if (this.exchange === null) this.parse(this.pending === null ? bytes.subarray(at) : this.pending.view());
  }

  drain(): void {
    this.output.flush();
  }

  closed(): void {
    this.shared.deadlines.delete(this);
    this.output.close();
    this.pending = null;
    this.state = State.Closing;
    const { exchange, raw } = this;
    this.exchange = null;
    this.raw = null;
    exchange?.abort(refusal(408, "the client closed the connection"));
    raw?.close();
  }

  expire(now: number): void {
    if (this.output.queuedBytes > 0) {
      const due = this.output.progressAt + this.shared.limits.writeTimeoutMs;
      if (due > now) this.deadline = due;
      else this.cut();
      return;
    }
    this.deadline = Infinity;
    if (this.state === State.Header && this.pending !== null) this.refuse(refusal(408, "the request header took too long"));
    else if (this.state === State.Exchange) this.bodyOverdue();
    else this.cut();
  }

  /** The front is stopping: nothing is lost by closing a connection between two requests. */
  closeIfIdle(): void {
    if (this.state === State.Header && this.pending === null) this.socket.end();
  }

  cut(): void {
    this.socket.terminate();
  }

  // --- What the exchange does.

  write(bytes: Uint8Array): void {
    this.output.write(bytes);
  }

  drained(): Promise<void> {
    return this.output.drained();
  }

  /** As `write`, for a response without end: a client that lets too much pile up is cut off. */
  writeStream(bytes: Uint8Array): boolean {
    if (this.output.queuedBytes > this.shared.limits.streamQueueBytes) {
      log.info("cut off a client that does not read its stream", { remoteAddress: this.remoteAddress, queuedBytes: this.output.queuedBytes });
      this.cut();
      return false;
    }
    return this.output.write(bytes);
  }

  bodyWanted(exchange: Exchange): void {
    if (exchange !== this.exchange || exchange.received.complete || exchange.received.failure !== null) return;
    if (exchange.expectContinue && exchange.received.received === 0) this.output.write(continues);
    exchange.expectContinue = false;
    this.flow();
    this.bodyMark = exchange.received.received;
    this.expectWithin(this.shared.limits.bodyTimeoutMs);
  }

  /** Whether the connection can't be used for another request: then the response says so. */
  closesAfter(exchange: Exchange, headers: HeaderFields): boolean {
    const asked = headers["connection"] ?? headers["Connection"];
    return !exchange.keepAlive || this.shared.stopping || !exchange.received.complete || (typeof asked === "string" && lists(asked.toLowerCase(), "close"));
  }

  /** The response goes on until the handler, or the client, ends it. */
  streaming(): void {
    this.state = State.Streaming;
    this.deadline = Infinity;
  }

  /** The response is complete. */
  finish(exchange: Exchange, close: boolean): void {
    if (exchange !== this.exchange) return;
    this.exchange = null;
    if (close) return this.linger();
    this.state = State.Header;
    this.expectWithin(this.shared.limits.idleTimeoutMs);
    if (this.parsing !== null) return;
    this.flow();
    if (this.pending !== null) this.parse(this.pending.view());
  }

  takeOver(exchange: Exchange, head: Buffer): RawConnection {
    if (exchange !== this.exchange) throw new TypeError("the client has gone away");
    this.output.write(head);
    this.state = State.Raw;
    this.deadline = Infinity;
    this.exchange = null;
    const early = this.parsing?.subarray(this.parsedTo) ?? this.pending?.take() ?? empty;
    this.raw = new SocketConnection(this.socket, this.output, early);
    this.pending = null;
    this.flow();
    return this.raw;
  }

  // --- Reading.

  /** Reads requests out of `bytes` until one has to be waited for; keeps what is left. */
  private parse(bytes: Buffer): void {
    const kept = this.pending !== null;
    let at = 0;
    this.parsing = bytes;
    while (at < bytes.length && this.state === State.Header) {
      const end = findHeadEnd(bytes, at, this.searched, this.shared.limits);
      if (end instanceof StatusError) this.refuse(end);
      else if (end >= 0) at = this.startExchange(bytes, at, end);
      else if (this.searched === 0) this.expectWithin(this.shared.limits.headerTimeoutMs);
      this.searched = end === incomplete && at === 0 ? bytes.length : 0;
      if (end === incomplete) break;
    }
    this.parsing = null;
    if (this.state === State.Closing || this.raw !== null) return;
    if (!kept) return this.keep(bytes, at);
    this.pending!.discard(at);
    if (this.pending!.length === 0) this.pending = null;
    this.flow();
  }

  /** Serves the request whose header lies between `at` and `end`; returns the offset behind what it used. */
  private startExchange(bytes: Buffer, at: number, end: number): number {
    const start = bytes[at] === 13 && bytes[at + 1] === 10 ? at + 2 : at; // RFC 9112 section 2.2: one empty line before the request is forgiven
    const head = parseRequestHead(bytes.toString("latin1", start, end), this.shared.limits);
    const next = end + headEnd.length;
    if (head instanceof StatusError) {
      this.refuse(head);
      return next;
    }
    const exchange = new Exchange(this, head, this.shared.limits.bodyBytes);
    const behind = exchange.received.feed(bytes, next);
    if (exchange.received.failure !== null) {
      this.refuse(exchange.received.failure);
      return behind;
    }
    this.exchange = exchange;
    this.state = State.Exchange;
    this.deadline = Infinity;
    this.parsedTo = behind;
    void this.serve(exchange);
    return behind;
  }

  private async serve(exchange: Exchange): Promise<void> {
    const response = new Response(this, exchange);
    try {
      await this.shared.handler(exchange, response);
    } catch (thrown) {
      const status = statusOf(thrown);
      if (this.exchange !== exchange) return;
      if (!(thrown instanceof StatusError)) log.error("a request handler failed", { method: exchange.method, path: exchange.url.split("?", 1)[0], error: thrown });
      if (response.started) this.cut();
      else response.send(status.code, { "Content-Type": "application/json" }, JSON.stringify(status.status));
    }
  }

  /** Gives the exchange its body; returns the offset behind it. */
  private feedBody(exchange: Exchange, bytes: Buffer, at: number): number {
    const body = exchange.received;
    if (body.complete || body.failure !== null) return at;
    const behind = body.feed(bytes, at);
    if (body.failure !== null || body.complete) {
      if (this.state === State.Exchange) this.deadline = Infinity;
      exchange.settle();
      return behind;
    }
    if (body.received - this.bodyMark >= this.shared.limits.bodyProgressBytes && this.state === State.Exchange && exchange.wanted !== null) {
      this.bodyMark = body.received;
      this.expectWithin(this.shared.limits.bodyTimeoutMs);
    }
    this.flow();
    return behind;
  }

  private bodyOverdue(): void {
    const body = this.exchange!.received;
    body.failure = refusal(408, "the request body took too long");
    this.exchange!.settle();
  }

  private keep(bytes: Buffer, from: number): void {
    if (from >= bytes.length) return;
    this.pending ??= new GrowingBuffer();
    this.pending.append(bytes.subarray(from));
    this.flow();
  }

  /** Pauses the socket while more has been read ahead than will soon be used, and resumes it afterwards. */
  private flow(): void {
    const exchange = this.exchange;
    const unread = exchange === null || exchange.wanted !== null ? 0 : exchange.received.received;
    const full = exchange !== null && unread + (this.pending?.length ?? 0) > readAheadBytes;
    if (full === this.paused) return;
    this.paused = full;
    if (full) this.socket.pause();
    else this.socket.resume();
  }

  // --- Closing.

  private expectWithin(ms: number): void {
    this.deadline = performance.now() + ms;
    this.shared.deadlines.soon(this.deadline);
  }

  /** Answers a request that can't be served, then closes: nothing behind it can be trusted to be a request. */
  private refuse(error: StatusError): void {
    const body = JSON.stringify(error.status);
    const framing = `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n`;
    this.output.write(Buffer.from(renderResponseHead(error.code, { "Content-Type": "application/json" }, framing) + body));
    this.linger();
  }

  /** Closes our side and drops what still comes for a while, so that a reset does not overtake the response. */
  private linger(): void {
    this.state = State.Closing;
    this.exchange = null;
    this.pending = null;
    if (this.paused) {
      this.paused = false;
      this.socket.resume();
    }
    this.expectWithin(this.output.queuedBytes > 0 ? this.shared.limits.writeTimeoutMs : lingerMs);
    this.output.whenEmpty(() => {
      this.socket.shutdown();
      this.expectWithin(lingerMs);
    });
  }
}
