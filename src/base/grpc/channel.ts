import http2 from "node:http2";
import { connect, type GrpcTarget } from "./connect.ts";
import { GrpcCode, GrpcError } from "./error.ts";
import { frame, FrameReader } from "./frames.ts";

export interface GrpcCallOptions {
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Goes as headers of the call. */
  metadata?: Readonly<Record<string, string>>;
}

/** A call that is under way. What is sent before there is a connection waits for it. */
export interface GrpcCall {
  send(message: Uint8Array): void;
  /** Nothing more will be sent. */
  end(): void;
  /** Resolves when the server ends the call with status 0; rejects with a `GrpcError`. */
  readonly done: Promise<void>;
}

export interface GrpcChannelOptions {
  /**
   * A connection that calls wait on and that has been silent this long is asked for a sign of life, and given up when none comes in half as
   * long again, or when a call is not answered within its time limit and two seconds.
   */
  keepaliveMs?: number;
}

/**
 * gRPC over HTTP/2 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md): bytes in, bytes out.
 * One connection, made at the first call and again after it broke. A call on a broken connection fails with `Unavailable`; callers retry.
 */
export class GrpcChannel {
  #connection: Promise<Connection> | undefined;
  #closed = false;
  /** `peer` names who listens there, in errors. */
  constructor(readonly target: GrpcTarget, readonly peer = "the container runtime", private readonly options: GrpcChannelOptions = {}) {}

  /** `path` is `/package.Service/Method`. */
  async unary(path: string, request: Uint8Array, options: GrpcCallOptions = {}): Promise<Uint8Array> {
    let response: Uint8Array | undefined;
    await this.stream(path, request, (message) => { response = message; }, options);
    if (!response) throw new GrpcError(GrpcCode.Unknown, `${this.peer} sent no response message`, path);
    return response;
  }

  /** Hands each response message to `onMessage`; resolves when the server ends the stream with status 0. */
  stream(path: string, request: Uint8Array, onMessage: (message: Uint8Array) => void, options: GrpcCallOptions = {}): Promise<void> {
    const call = this.call(path, onMessage, options);
    call.send(request);
    call.end();
    return call.done;
  }

  /** A call in which both sides send as many messages as they like. */
  call(path: string, onMessage: (message: Uint8Array) => void, options: GrpcCallOptions = {}): GrpcCall {
    const waiting: (Uint8Array | undefined)[] = [];
    let stream: http2.ClientHttp2Stream | undefined;
    const put = (message: Uint8Array | undefined): void => {
      if (!stream) waiting.push(message);
      else if (message) stream.write(frame(message));
      else stream.end();
    };
    const done = new Promise<void>((resolve, reject) => {
      if (options.signal?.aborted) return reject(new GrpcError(GrpcCode.Cancelled, "cancelled", path, { unsent: true }));
      const exchange = new Exchange(path, this.peer, onMessage, options, resolve, reject);
      this.#connect().then((connection) => {
        if (exchange.settled) return;
        exchange.onHang = () => { if (this.options.keepaliveMs) connection.destroy(); };
        stream = connection.request({ ...options.metadata, ":method": "POST", ":path": path, "content-type": "application/grpc+proto", te: "trailers", ...(options.timeoutMs ? { "grpc-timeout": `${Math.ceil(options.timeoutMs)}m` } : {}) });
        exchange.on(stream);
        for (const message of waiting.splice(0)) put(message);
      }).catch((error: Error) => exchange.settle(unavailable(this.peer, path, error, true)));
    });
    return { send: put, end: () => put(undefined), done };
  }

  close(): void {
    this.#closed = true;
    this.#connection?.then((connection) => connection.destroy(), () => {});
    this.#connection = undefined;
  }

  #connect(): Promise<Connection> {
    if (this.#connection) return this.#connection;
    this.#closed = false;
    const forget = (): void => {
      if (this.#connection === connection) this.#connection = undefined;
    };
    const connection = connect(this.target).then((session) => {
      const made = new Connection(session, this.options.keepaliveMs, forget);
      if (this.#closed) made.destroy();
      return made;
    });
    connection.catch(forget);
    return (this.#connection = connection);
  }
}

/** An HTTP/2 session, and how long it has been silent. */
class Connection {
  #heard = true;
  #inFlight = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  constructor(private readonly session: http2.ClientHttp2Session, private readonly keepaliveMs: number | undefined, onEnd: () => void) {
    const ended = (): void => {
      clearInterval(this.#timer);
      onEnd();
    };
    // The calls in flight report the failure; an unhandled session error would end the process.
    session.on("error", ended);
    session.on("close", ended);
    session.on("goaway", ended);
  }

  request(headers: http2.OutgoingHttpHeaders): http2.ClientHttp2Stream {
    const stream = this.session.request(headers);
    this.#inFlight++;
    stream.on("data", () => { this.#heard = true; });
    stream.on("close", () => {
      if (--this.#inFlight > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
    if (this.keepaliveMs && !this.#timer) {
      this.#heard = true;
      this.#timer = setInterval(() => this.#tick(), this.keepaliveMs);
      this.#timer.unref();
    }
    return stream;
  }

  destroy(): void {
    clearInterval(this.#timer);
    this.session.destroy();
  }

  #tick(): void {
    if (this.#heard) {
      this.#heard = false;
      return;
    }
    if (this.session.destroyed || this.session.closed) return;
    const unanswered = setTimeout(() => this.session.destroy(Object.assign(new Error("it has stopped answering"), { code: "ETIMEDOUT" })), this.keepaliveMs! / 2);
    this.session.ping((error) => {
      clearTimeout(unanswered);
      if (!error) this.#heard = true;
    });
  }
}

/** One call's answer, as it comes in. */
class Exchange {
  settled = false;
  onHang: () => void = () => {};
  #stream: http2.ClientHttp2Stream | undefined;
  #status: { code: number; message: string } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  constructor(private readonly path: string, private readonly peer: string, private readonly onMessage: (message: Uint8Array) => void, private readonly options: GrpcCallOptions, private readonly resolve: () => void, private readonly reject: (error: GrpcError) => void) {
    const { timeoutMs, signal } = options;
    // A server that respects the deadline answers by itself; the margin is for one that hangs.
    if (timeoutMs) {
      this.#timer = setTimeout(() => {
        this.settle(new GrpcError(GrpcCode.DeadlineExceeded, `no answer within ${timeoutMs} ms`, path));
        this.onHang();
      }, timeoutMs + 2000);
    }
    signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  on(stream: http2.ClientHttp2Stream): void {
    this.#stream = stream;
    const frames = new FrameReader(this.onMessage);
    const readStatus = (headers: http2.IncomingHttpHeaders): void => {
      const code = headers["grpc-status"];
      if (code !== undefined) this.#status = { code: Number(code), message: decodeMessage(String(headers["grpc-message"] ?? "")) };
    };
    stream.on("response", readStatus);
    stream.on("trailers", readStatus);
    stream.on("data", (bytes: Buffer) => {
      try {
        if (!this.settled) frames.push(bytes);
      } catch (error) {
        this.settle(new GrpcError(GrpcCode.Unknown, error instanceof Error ? error.message : String(error), this.path, { cause: error }));
      }
    });
    stream.on("error", (error) => this.settle(unavailable(this.peer, this.path, error)));
    stream.on("close", () => {
      if (!this.#status) this.settle(new GrpcError(GrpcCode.Unavailable, `the connection to ${this.peer} was lost`, this.path));
      else this.settle(this.#status.code === 0 ? undefined : new GrpcError(this.#status.code, this.#status.message, this.path));
    });
  }

  settle(error?: GrpcError): void {
    if (this.settled) return;
    this.settled = true;
    clearTimeout(this.#timer);
    this.options.signal?.removeEventListener("abort", this.#onAbort);
    if (!error) return this.resolve();
    this.#stream?.close(http2.constants.NGHTTP2_CANCEL);
    this.reject(error);
  }

  readonly #onAbort = (): void => this.settle(new GrpcError(GrpcCode.Cancelled, "cancelled", this.path));
}

function unavailable(peer: string, path: string, error: Error & { code?: string }, unsent = false): GrpcError {
  return new GrpcError(GrpcCode.Unavailable, `${peer} is not reachable: ${error.code ?? error.message}`, path, { cause: error, unsent });
}

function decodeMessage(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}
