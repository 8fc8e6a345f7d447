import { chmodSync, mkdirSync, rmSync } from "node:fs";
import http2 from "node:http2";
import { dirname } from "node:path";
import { GrpcCode, GrpcError } from "./error.ts";
import { frame, FrameReader } from "./frames.ts";

/** Answers one call: any number of messages, then it resolves; throws `GrpcError` for another status than 0. `signal` aborts when the caller has gone. */
export type GrpcMethod = (request: Uint8Array, send: (message: Uint8Array) => void, signal: AbortSignal) => Promise<void>;

const mostRequestBytes = 16 * 1024 * 1024;

/** A gRPC server on a Unix socket: bytes in, bytes out, as `GrpcChannel`. Requests are single messages. */
export class GrpcServer {
  #server: http2.Http2Server | undefined;
  readonly #sessions = new Set<http2.ServerHttp2Session>();
  /** By path: `/package.Service/Method`. */
  constructor(private readonly methods: Readonly<Record<string, GrpcMethod>>) {}

  /** Listens on a socket, in place of whatever file is there; root alone may connect. */
  async listen(socketPath: string): Promise<void> {
    mkdirSync(dirname(socketPath), { recursive: true, mode: 0o750 });
    rmSync(socketPath, { force: true });
    const server = http2.createServer();
    server.on("session", (session) => {
      this.#sessions.add(session);
      session.on("close", () => this.#sessions.delete(session));
      session.on("error", () => session.destroy());
    });
    server.on("stream", (stream, headers) => this.#answer(stream as http2.ServerHttp2Stream, String(headers[":path"])));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(socketPath, () => {
        server.off("error", reject);
        resolve();
      });
    });
    chmodSync(socketPath, 0o600);
    this.#server = server;
  }

  /** Ends all calls, and takes the socket away. */
  close(): void {
    this.#server?.close();
    for (const session of this.#sessions) session.destroy();
    this.#server = undefined;
  }

  #answer(stream: http2.ServerHttp2Stream, path: string): void {
    const gone = new AbortController();
    let received = 0, request: Uint8Array | undefined;
    const frames = new FrameReader((message) => { request ??= message; });
    stream.on("error", () => gone.abort());
    stream.on("close", () => gone.abort());
    stream.on("data", (bytes: Buffer) => {
      received += bytes.length;
      if (received > mostRequestBytes) stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
      else frames.push(bytes);
    });
    stream.on("end", () => {
      stream.respond({ ":status": 200, "content-type": "application/grpc+proto" }, { waitForTrailers: true });
      let status = { code: 0, message: "" };
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": String(status.code), ...(status.message ? { "grpc-message": encodeURIComponent(status.message) } : {}) }));
      const send = (message: Uint8Array): void => {
        if (!gone.signal.aborted) stream.write(frame(message));
      };
      this.#run(path, request, send, gone.signal).catch((error: unknown) => {
        status = { code: error instanceof GrpcError ? error.code : GrpcCode.Unknown, message: error instanceof Error ? error.message : String(error) };
      }).finally(() => {
        if (!gone.signal.aborted) stream.end();
      });
    });
  }

  async #run(path: string, request: Uint8Array | undefined, send: (message: Uint8Array) => void, signal: AbortSignal): Promise<void> {
    const method = Object.hasOwn(this.methods, path) ? this.methods[path]! : undefined;
    if (!method) throw new GrpcError(GrpcCode.Unimplemented, `unknown method ${path}`, path);
    if (!request) throw new GrpcError(GrpcCode.Unknown, "the request has no message", path);
    await method(request, send, signal);
  }
}
