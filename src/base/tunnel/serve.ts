import type { HeaderFields, HttpHandler, HttpRequest, HttpResponse, HttpStream, PeerCertificate, RawConnection } from "../http.ts";
import { decodeRequestHead, encodeResponseHead, mostWhole, type RequestHead, type ResponseMode } from "./heads.ts";
import type { TunnelSession } from "./session.ts";
import type { TunnelStream } from "./stream.ts";

export interface ServeOptions {
  /** Who serves a request of this role, as whom; undefined refuses it. */
  handlerFor(head: RequestHead): { handler: HttpHandler; peer?: PeerCertificate } | undefined;
  remoteAddress: string;
  /** Of a request, decoded; 413. Bytes. */
  mostBodyBytes: number;
  /** A handler threw. The peer has been answered 500. */
  onError(head: RequestHead, error: unknown): void;
}

/** Answers one stream of the peer as a request, until its response has ended. Never rejects. */
export async function serveStream(session: TunnelSession, stream: TunnelStream, payload: Buffer, options: ServeOptions): Promise<void> {
  const over = Promise.withResolvers<void>();
  let head: RequestHead;
  try {
    head = decodeRequestHead(payload);
  } catch (error) {
    return stream.destroy(error instanceof Error ? error.message : "malformed request");
  }
  const found = options.handlerFor(head);
  if (!found) return stream.destroy("this role is not served");
  const request = new TunnelRequest(stream, head, found.peer, options, over.resolve);
  const response = new TunnelResponse(session, stream);
  request.onTooLarge = () => {
    if (!response.started) response.send(413, { "Content-Type": "text/plain; charset=utf-8" }, "the request body is too large\n");
  };
  try {
    await found.handler(request, response);
  } catch (error) {
    // That the client has gone is no failure of the handler's.
    if (!request.signal.aborted) options.onError(head, error);
    if (response.started) stream.destroy("the handler failed");
    else response.send(500, { "Content-Type": "text/plain; charset=utf-8" }, "internal error\n");
  }
  if (!response.started) stream.destroy("the handler gave no answer");
  await over.promise;
}

class TunnelRequest implements HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly remoteAddress: string;
  onTooLarge: () => void = () => {};
  #body: Promise<Uint8Array> | undefined;
  readonly #gone = new AbortController();

  constructor(private readonly stream: TunnelStream, { method, url, headers }: RequestHead, readonly peer: PeerCertificate | undefined, private readonly options: ServeOptions, onOver: () => void) {
    this.method = method;
    this.url = url;
    this.headers = headers;
    this.remoteAddress = options.remoteAddress;
    stream.onClose = () => {
      this.closed();
      onOver();
    };
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  body(): Promise<Uint8Array> {
    return (this.#body ??= this.#read());
  }

  #read(): Promise<Uint8Array> {
    const { stream, options } = this;
    const pieces: Buffer[] = [];
    let length = 0;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    promise.catch(() => {}); // a handler that no longer waits is no unhandled rejection
    stream.onData = (bytes) => {
      length += bytes.length;
      if (length <= options.mostBodyBytes) return void pieces.push(bytes);
      pieces.length = 0;
      stream.pause();
      reject(new RangeError("the request body is too large"));
      this.onTooLarge();
    };
    stream.onEnd = () => resolve(Buffer.concat(pieces));
    this.signal.addEventListener("abort", () => reject(new Error("the client has gone away")), { once: true });
    stream.resume();
    return promise;
  }

  private closed(): void {
    if (this.stream.broken !== undefined) this.#gone.abort();
  }
}

class TunnelResponse implements HttpResponse, HttpStream {
  started = false;
  #open = false;

  constructor(private readonly session: TunnelSession, private readonly stream_: TunnelStream) {}

  send(status: number, headers: HeaderFields, body: string | Uint8Array = ""): void {
    this.#start(status, headers, body.length > mostWhole ? "stream" : "whole");
    if (body.length > 0) this.stream_.write(typeof body === "string" ? Buffer.from(body) : body);
    this.#finish();
  }

  stream(status: number, headers: HeaderFields): HttpStream {
    this.#start(status, headers, "stream");
    this.#open = true;
    return this;
  }

  upgrade(headers: HeaderFields): RawConnection {
    this.#start(101, headers, "upgrade");
    const { stream_: stream } = this;
    stream.raw = true;
    const onOver = stream.onClose;
    return adapt(stream, onOver);
  }

  write(chunk: Uint8Array | string): boolean {
    return this.#open && this.stream_.write(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  }

  writeFramed(framed: Uint8Array): boolean {
    return this.write(unframed(Buffer.from(framed.buffer, framed.byteOffset, framed.byteLength)));
  }

  get queuedBytes(): number {
    return this.stream_.queuedBytes;
  }

  drained(): Promise<void> {
    return this.stream_.drained();
  }

  end(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#finish();
  }

  abort(): void {
    this.#open = false;
    this.stream_.destroy("aborted");
  }

  #start(status: number, headers: HeaderFields, mode: ResponseMode): void {
    if (this.started) throw new TypeError("the response has already been started");
    const head = encodeResponseHead({ status, headers, mode });
    this.started = true;
    this.session.sendHead(this.stream_, head);
  }

  /** What the client still sends is dropped. */
  #finish(): void {
    this.stream_.onData = () => {};
    this.stream_.end();
    this.stream_.resume();
  }
}

/** The stream as its handler sees it after an upgrade; whoever counts streams hears of its end too. */
function adapt(stream: TunnelStream, onOver: () => void): RawConnection {
  let onClose = (): void => {};
  stream.onClose = () => {
    onOver();
    onClose();
  };
  queueMicrotask(() => stream.resume());
  return {
    get onData() {
      return stream.onData;
    },
    set onData(handler) {
      stream.onData = handler;
    },
    get onClose() {
      return onClose;
    },
    set onClose(handler) {
      onClose = handler;
    },
    get queuedBytes() {
      return stream.queuedBytes;
    },
    write: (bytes) => stream.write(bytes), drained: () => stream.drained(), pause: () => stream.pause(), resume: () => stream.resume(),
    end: () => stream.end(), destroy: () => stream.destroy("closed"),
  };
}

/** Takes the frames of `frameChunk` off again; `bytes` may hold several. */
export function unframed(bytes: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const line = bytes.indexOf(10, at);
    const size = Number.parseInt(bytes.toString("latin1", at, line - 1), 16);
    chunks.push(bytes.subarray(line + 1, line + 1 + size));
    at = line + 1 + size + 2;
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}
