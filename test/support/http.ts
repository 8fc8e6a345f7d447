import type { HeaderFields, HttpHandler, HttpRequest, HttpStream, PeerCertificate } from "../../src/base/http.ts";

export interface ExchangeOptions {
  method?: string;
  url: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  peer?: PeerCertificate;
  signal?: AbortSignal;
  /** Bytes a streamed response takes before its client counts as slow; it reads on when `read` is called. */
  window?: number;
}

/** What a handler has answered so far. */
export interface Exchanged {
  status: number;
  headers: HeaderFields;
  /** All bytes sent; streamed ones without their chunk frames. */
  text(): string;
  /** Bytes the client has not read. */
  readonly queued: number;
  /** The client reads everything that is queued. */
  read(): void;
  readonly ended: boolean;
  readonly aborted: boolean;
}

/** One exchange in memory: the URL reaches the handler exactly as given, and a slow client is a number. */
export function exchange(handler: HttpHandler, { method = "GET", url, headers = {}, body = "", peer, signal = new AbortController().signal, window = Infinity }: ExchangeOptions): { answer: Exchanged; done: Promise<void> } {
  const sent: Buffer[] = [];
  let started = false, queued = 0, ended = false, aborted = false;
  let drained = Promise.withResolvers<void>();
  const answer: Exchanged = {
    status: 0, headers: {}, text: () => Buffer.concat(sent).toString(),
    get queued() {
      return queued;
    },
    get ended() {
      return ended;
    },
    get aborted() {
      return aborted;
    },
    read() {
      queued = 0;
      drained.resolve();
      drained = Promise.withResolvers();
    },
  };
  const start = (status: number, fields: HeaderFields): void => {
    if (started) throw new Error("a response was started twice");
    started = true;
    answer.status = status;
    answer.headers = fields;
  };
  const write = (bytes: Buffer): boolean => {
    if (ended || aborted) return false;
    sent.push(bytes);
    queued += bytes.length;
    if (queued > window) return false;
    queued = 0;
    return true;
  };
  const stream: HttpStream = {
    write: (chunk) => write(Buffer.from(chunk as string)),
    writeFramed: (framed) => write(unframe(Buffer.from(framed))),
    get queuedBytes() {
      return queued;
    },
    drained: () => (queued === 0 ? Promise.resolve() : drained.promise),
    end: () => void (ended = true),
    abort: () => void (aborted = true),
  };
  const request: HttpRequest = { method, url, headers, peer, remoteAddress: "192.0.2.1", body: async () => Buffer.from(body as string), signal };
  const done = Promise.resolve(handler(request, {
    get started() {
      return started;
    },
    send(status, fields, content = "") {
      start(status, fields);
      sent.push(Buffer.from(content as string));
      ended = true;
    },
    stream(status, fields) {
      start(status, fields);
      return stream;
    },
    upgrade: () => {
      throw new Error("no upgrades in memory");
    },
  }));
  return { answer, done };
}

/** Takes chunk frames apart (RFC 9112 section 7.1). */
function unframe(framed: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; at < framed.length;) {
    const line = framed.indexOf("\r\n", at);
    const size = Number.parseInt(framed.toString("latin1", at, line), 16);
    chunks.push(framed.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
  return Buffer.concat(chunks);
}
