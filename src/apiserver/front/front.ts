import type { HttpHandler } from "../../base/http.ts";

/** PEM texts. Clients whose certificate was issued by `clientCa` are identified; all others are served as anonymous. */
export interface FrontTls {
  cert: string;
  key: string;
  clientCa: string;
  /** PEM of the CA whose certificates mark a front proxy. */
  requestHeaderCa?: string;
}

/** Whose client certificates are verified. */
export const clientCas = ({ clientCa, requestHeaderCa }: FrontTls): string[] => [clientCa, ...(requestHeaderCa ? [requestHeaderCa] : [])];

/** What one client may cost us. Bytes and milliseconds. */
export interface FrontLimits {
  /** Request line; longer ones are answered 414. Label selectors can be long: Go's servers take a megabyte. */
  requestLineBytes: number;
  /** Request line and header fields together; 431. */
  headerBytes: number;
  headerCount: number;
  /** Decoded body; 413. */
  bodyBytes: number;
  /** From the first byte of a request (or the TCP connect) to the end of its header. */
  headerTimeoutMs: number;
  /** A body that is waited for has to bring `bodyProgressBytes`, or its end, within this time. */
  bodyTimeoutMs: number;
  bodyProgressBytes: number;
  /** Between two requests. */
  idleTimeoutMs: number;
  /** How long a client may leave a complete response unread without taking a byte. */
  writeTimeoutMs: number;
  /** A streamed response whose queue is longer than this at the next write is cut off. */
  streamQueueBytes: number;
  connections: number;
  connectionsPerAddress: number;
}

export const defaultLimits: FrontLimits = {
  requestLineBytes: 128 << 10,
  headerBytes: 160 << 10,
  headerCount: 100,
  bodyBytes: 3 << 20,
  headerTimeoutMs: 10_000,
  bodyTimeoutMs: 30_000,
  bodyProgressBytes: 16 << 10,
  idleTimeoutMs: 120_000,
  writeTimeoutMs: 60_000,
  streamQueueBytes: 4 << 20,
  connections: 16_384,
  connectionsPerAddress: 4_096,
};

export interface FrontOptions {
  hostname: string;
  /** 0 picks a free port. */
  port: number;
  tls: FrontTls;
  limits?: Partial<FrontLimits>;
  handler: HttpHandler;
}

/** The one TLS port: HTTP/1.1 requests, streamed responses and raw upgrades, with the client's certificate. */
export interface Front {
  readonly port: number;
  /** Open connections. */
  readonly connections: number;
  /** New connections get these certificates; open ones, watches too, live on. */
  reload(tls: FrontTls): Promise<void>;
  /** Accepts nothing more, closes idle connections, lets running exchanges finish for `graceMs`, then cuts them. */
  stop(options: { graceMs: number }): Promise<void>;
}

/** Rejects when the port is taken or the certificates are unusable. */
export type ListenFront = (options: FrontOptions) => Promise<Front>;
