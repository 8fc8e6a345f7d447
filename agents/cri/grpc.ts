import http2 from "node:http2";
import net from "node:net";
import type { CallOptions } from "./generated/messages.ts";
import { CriError, GrpcCode } from "./cri.ts";

const windowSize = 4 * 1024 * 1024;

/** `metadata` goes as headers of the call. */
export interface GrpcCallOptions extends CallOptions {
  metadata?: Readonly<Record<string, string>>;
}

/**
 * gRPC over HTTP/2 on a Unix socket (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md): bytes in, bytes out.
 * One connection, made at the first call and again after it broke. A call on a broken connection fails with `Unavailable`; callers retry.
 */
export class GrpcChannel {
  #session: http2.ClientHttp2Session | undefined;
  /** `peer` names who listens there, in errors. */
  constructor(readonly socketPath: string, readonly peer = "the container runtime") {}

  /** `path` is `/package.Service/Method`. */
  unary(path: string, request: Uint8Array, options: GrpcCallOptions = {}): Promise<Uint8Array> {
    let response: Uint8Array | undefined;
    return this.stream(path, request, (message) => { response = message; }, options).then(() => {
      if (!response) throw new CriError(GrpcCode.Unknown, `${this.peer} sent no response message`, path);
      return response;
    });
  }

  /** Hands each response message to `onMessage`; resolves when the server ends the stream with status 0. */
  stream(path: string, request: Uint8Array, onMessage: (message: Uint8Array) => void, { timeoutMs, signal, metadata }: GrpcCallOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(new CriError(GrpcCode.Cancelled, "cancelled", path));
      const call = this.#connect().request({
        ...metadata, ":method": "POST", ":path": path, "content-type": "application/grpc+proto", te: "trailers",
        ...(timeoutMs ? { "grpc-timeout": `${Math.ceil(timeoutMs)}m` } : {}),
      });
      const frames = new FrameReader(onMessage);
      let status: { code: number; message: string } | undefined;
      let timer: ReturnType<typeof setTimeout> | undefined;
      let settled = false;
      const settle = (error?: CriError): void => {
        if (settled) return;
        settled = true;
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        if (error) {
          call.close(http2.constants.NGHTTP2_CANCEL);
          reject(error);
        } else resolve();
      };
      const onAbort = (): void => settle(new CriError(GrpcCode.Cancelled, "cancelled", path));
      const readStatus = (headers: http2.IncomingHttpHeaders): void => {
        const code = headers["grpc-status"];
        if (code !== undefined) status = { code: Number(code), message: decodeMessage(String(headers["grpc-message"] ?? "")) };
      };
      // A server that respects the deadline answers by itself; the margin is for one that hangs.
      if (timeoutMs) timer = setTimeout(() => settle(new CriError(GrpcCode.DeadlineExceeded, `no answer within ${timeoutMs} ms`, path)), timeoutMs + 2000);
      signal?.addEventListener("abort", onAbort, { once: true });
      call.on("response", readStatus);
      call.on("trailers", readStatus);
      call.on("data", (bytes: Buffer) => {
        try {
          frames.push(bytes);
        } catch (error) {
          settle(new CriError(GrpcCode.Unknown, error instanceof Error ? error.message : String(error), path, { cause: error }));
        }
      });
      call.on("error", (error) => settle(unavailable(this.peer, path, error)));
      call.on("close", () => {
        if (!status) settle(new CriError(GrpcCode.Unavailable, `the connection to ${this.peer} was lost`, path));
        else settle(status.code === 0 ? undefined : new CriError(status.code, status.message, path));
      });
      call.end(frame(request));
    });
  }

  close(): void {
    this.#session?.destroy();
    this.#session = undefined;
  }

  #connect(): http2.ClientHttp2Session {
    if (this.#session && !this.#session.closed && !this.#session.destroyed) return this.#session;
    const session = http2.connect("http://localhost", { createConnection: () => net.connect(this.socketPath), settings: { initialWindowSize: windowSize } });
    const forget = (): void => {
      if (this.#session === session) this.#session = undefined;
    };
    // The calls in flight report the failure; an unhandled session error would end the process.
    session.on("error", forget);
    session.on("close", forget);
    session.on("goaway", forget);
    session.unref();
    return (this.#session = session);
  }
}

function unavailable(peer: string, path: string, error: Error & { code?: string }): CriError {
  return new CriError(GrpcCode.Unavailable, `${peer} is not reachable: ${error.code ?? error.message}`, path, { cause: error });
}

/** A message with its length before it. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(5 + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, 5);
  return framed;
}

/** Cuts the byte stream into length-prefixed messages. */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);
  constructor(readonly onMessage: (message: Uint8Array) => void) {}

  push(bytes: Buffer): void {
    this.#pending = this.#pending.length ? Buffer.concat([this.#pending, bytes]) : bytes;
    while (this.#pending.length >= 5) {
      const length = this.#pending.readUInt32BE(1);
      if (this.#pending.length < 5 + length) return;
      const message = this.#pending.subarray(5, 5 + length);
      this.#pending = this.#pending.subarray(5 + length);
      this.onMessage(message);
    }
  }
}

function decodeMessage(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}
