import { frameChunk, type HeaderFields, type HttpRequest, type HttpResponse, type HttpStream, type PeerCertificate, type RawConnection } from "../../base/http.ts";
import type { StatusError } from "../../apimachinery/status.ts";
import type { Connection } from "./connection.ts";
import { identityAt } from "./peer.ts";
import { RequestBody } from "./request-body.ts";
import type { RequestHead } from "./request-head.ts";
import { isBodiless, renderResponseHead } from "./response-head.ts";

/** Bodies up to this size are sent in one write with their header. */
const joinedBytes = 64 << 10;

/** One request of a connection, and what became of it. */
export class Exchange implements HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly repeated: RequestHead["repeated"];
  readonly received: RequestBody;
  readonly keepAlive: boolean;
  readonly http11: boolean;
  expectContinue: boolean;
  /** Set by `body()`: until then only a little of the body is read. */
  wanted: { promise: Promise<Uint8Array>; resolve(bytes: Uint8Array): void; reject(error: StatusError): void } | null = null;
  private controller: AbortController | null = null;
  private aborted = false;

  constructor(private readonly connection: Connection, head: RequestHead, bodyLimit: number) {
    this.method = head.method;
    this.url = head.url;
    this.headers = head.headers;
    this.repeated = head.repeated;
    this.keepAlive = head.keepAlive;
    this.http11 = head.http11;
    this.expectContinue = head.expectContinue;
    this.received = new RequestBody(head.bodyLength, bodyLimit);
  }

  get peer(): PeerCertificate | undefined {
    return identityAt(this.connection.identity, Date.now()).peer;
  }

  get peerError(): string | undefined {
    return identityAt(this.connection.identity, Date.now()).peerError;
  }

  get remoteAddress(): string {
    return this.connection.remoteAddress;
  }

  get signal(): AbortSignal {
    if (this.controller === null) {
      this.controller = new AbortController();
      if (this.aborted) this.controller.abort();
    }
    return this.controller.signal;
  }

  body(): Promise<Uint8Array> {
    if (this.wanted === null) {
      this.wanted = Promise.withResolvers<Uint8Array>();
      this.wanted.promise.catch(() => {}); // a handler that no longer waits is no unhandled rejection
      this.settle();
      this.connection.bodyWanted(this);
    }
    return this.wanted.promise;
  }

  /** Answers `body()` once its fate is known. */
  settle(): void {
    if (this.wanted === null) return;
    if (this.received.failure !== null) this.wanted.reject(this.received.failure);
    else if (this.received.complete) this.wanted.resolve(this.received.take());
  }

  /** The client has gone away. */
  abort(gone: StatusError): void {
    this.aborted = true;
    this.controller?.abort();
    this.wanted?.reject(gone);
  }
}

/** Writes the response of one exchange. */
export class Response implements HttpResponse, HttpStream {
  started = false;
  private open = false;
  private chunked = false;
  private silent = false;
  private close = false;

  constructor(private readonly connection: Connection, private readonly exchange: Exchange) {}

  send(status: number, headers: HeaderFields, body: string | Uint8Array = ""): void {
    this.refuseSecond();
    if (status < 200) throw new TypeError(`${status} is not a final status`);
    const close = this.connection.closesAfter(this.exchange, headers);
    const length = typeof body === "string" ? Buffer.byteLength(body) : body.length;
    const framing = (isBodiless(status) ? "" : `Content-Length: ${length}\r\n`) + (close ? closing(headers) : "");
    const head = renderResponseHead(status, headers, framing);
    this.started = true;
    if (length === 0 || isBodiless(status) || this.exchange.method === "HEAD") this.connection.write(Buffer.from(head));
    else if (length <= joinedBytes) this.connection.write(joined(head, body, length));
    else {
      this.connection.write(Buffer.from(head));
      this.connection.write(typeof body === "string" ? Buffer.from(body) : body);
    }
    this.connection.finish(this.exchange, close);
  }

  stream(status: number, headers: HeaderFields): HttpStream {
    this.refuseSecond();
    this.chunked = this.exchange.http11 && !isBodiless(status);
    this.silent = this.exchange.method === "HEAD" || isBodiless(status);
    this.close = this.connection.closesAfter(this.exchange, headers) || !this.exchange.http11;
    const head = renderResponseHead(status, headers, (this.chunked ? "Transfer-Encoding: chunked\r\n" : "") + (this.close ? closing(headers) : ""));
    this.started = true;
    this.open = true;
    this.connection.write(Buffer.from(head));
    this.connection.streaming();
    return this;
  }

  upgrade(headers: HeaderFields): RawConnection {
    this.refuseSecond();
    if (!this.exchange.received.complete) throw new TypeError("an upgrade needs a request without a body");
    const head = renderResponseHead(101, headers, "");
    this.started = true;
    return this.connection.takeOver(this.exchange, Buffer.from(head));
  }

  write(chunk: Uint8Array | string): boolean {
    if (chunk.length === 0) return this.queuedBytes === 0;
    if (this.chunked) return this.writeFramed(frameChunk(chunk));
    return this.queue(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  }

  writeFramed(framed: Uint8Array): boolean {
    return this.queue(this.chunked || this.silent ? framed : framed.subarray(framed.indexOf(10) + 1, -2));
  }

  get queuedBytes(): number {
    return this.open ? this.connection.queuedBytes : 0;
  }

  drained(): Promise<void> {
    return this.open ? this.connection.drained() : Promise.resolve();
  }

  end(): void {
    if (!this.open) return;
    this.open = false;
    if (this.chunked && !this.silent) this.connection.write(lastChunk);
    this.connection.finish(this.exchange, this.close || this.connection.closesAfter(this.exchange, {}));
  }

  abort(): void {
    if (!this.open) return;
    this.open = false;
    this.connection.cut();
  }

  private queue(bytes: Uint8Array): boolean {
    if (!this.open) return false;
    return this.silent || this.connection.writeStream(bytes);
  }

  private refuseSecond(): void {
    if (this.started) throw new TypeError("the response has already been started");
  }
}

const lastChunk = Buffer.from("0\r\n\r\n");

const closing = (headers: HeaderFields): string => (headers["connection"] ?? headers["Connection"]) === undefined ? "Connection: close\r\n" : "";

function joined(head: string, body: string | Uint8Array, length: number): Buffer {
  const headLength = Buffer.byteLength(head);
  const message = Buffer.allocUnsafe(headLength + length);
  message.write(head);
  if (typeof body === "string") message.write(body, headLength);
  else message.set(body, headLength);
  return message;
}
