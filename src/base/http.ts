/**
 * One HTTP exchange as handlers see it, whatever carries it: the TLS front, an in-process caller, a tunnel.
 * The front (`apiserver/front`) implements these; the kubelet's handlers use them too.
 */

/** The verified client certificate of the connection; absent when the client sent none or it did not verify. */
export interface PeerCertificate {
  commonName: string;
  organizations: string[];
  /** SHA-256 of the DER form, upper-case hex with colons. */
  fingerprint: string;
  /** The certificate is one of a front proxy, which speaks for others and has no name of its own here. */
  frontProxy?: true;
}

export interface HttpRequest {
  readonly method: string;
  /** Path and query as sent, for example `/api/v1/pods?watch=1`. */
  readonly url: string;
  /** Lower-case names; repeated fields joined by ", ". */
  readonly headers: Readonly<Record<string, string>>;
  /** The single values of fields that were sent more than once; absent where none was. */
  readonly repeated?: Readonly<Record<string, readonly string[]>>;
  readonly peer?: PeerCertificate;
  /** Why a client certificate was refused, such as `CERT_HAS_EXPIRED`. */
  readonly peerError?: string;
  readonly remoteAddress: string;
  /** The whole body, already bounded by the front's limit; empty when there was none. */
  body(): Promise<Uint8Array>;
  /** Aborts when the client goes away before the response has ended. */
  readonly signal: AbortSignal;
}

export type HeaderFields = Record<string, string | string[]>;

export interface HttpResponse {
  /** True once a status line has been sent. */
  readonly started: boolean;
  /** Sends a complete response. Throws when a response was already started. */
  send(status: number, headers: HeaderFields, body?: string | Uint8Array): void;
  /** Starts a streamed (chunked) response. */
  stream(status: number, headers: HeaderFields): HttpStream;
  /** Answers 101 with these headers and hands the connection over as raw bytes. */
  upgrade(headers: HeaderFields): RawConnection;
}

export interface HttpStream {
  /** Queues bytes; false when the client reads slowly and `queuedBytes` is growing. Never throws; ignored once closed. */
  write(chunk: Uint8Array | string): boolean;
  /** Queues a chunk made by `frameChunk`: framed once, shared by all watchers. */
  writeFramed(framed: Uint8Array): boolean;
  readonly queuedBytes: number;
  /** Resolves when the queue is empty again, or the client is gone. */
  drained(): Promise<void>;
  end(): void;
  /** Cuts the connection without a proper end, so that the client sees a broken stream. */
  abort(): void;
}

/** Frames one chunk of a chunked body (RFC 9112 section 7.1) for `HttpStream.writeFramed`. */
export function frameChunk(chunk: Uint8Array | string): Buffer {
  const body = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
  const size = body.length.toString(16) + "\r\n";
  const framed = Buffer.allocUnsafe(size.length + body.length + 2);
  framed.write(size, 0, "latin1");
  framed.set(body, size.length);
  framed[framed.length - 2] = 13;
  framed[framed.length - 1] = 10;
  return framed;
}

/** A connection taken over after a 101, or any byte stream that behaves like one. */
export interface RawConnection {
  /** Set once, synchronously after `upgrade`; bytes that arrived early are delivered then. */
  onData: (bytes: Buffer) => void;
  onClose: () => void;
  /** False when bytes are queued (see `queuedBytes`); ignored once closed. */
  write(bytes: Uint8Array): boolean;
  readonly queuedBytes: number;
  drained(): Promise<void>;
  /** Stops delivering `onData` until `resume`, so that the peer is slowed down. */
  pause(): void;
  resume(): void;
  /** Flushes what is queued, then closes. */
  end(): void;
  destroy(): void;
}

export type HttpHandler = (request: HttpRequest, response: HttpResponse) => void | Promise<void>;
