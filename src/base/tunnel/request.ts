import type { HttpHandler, RawConnection } from "../http.ts";
import { pipe } from "../stream/pipe.ts";
import { decodeResponseHead, mostWhole, type RequestHead, type ResponseHead } from "./heads.ts";
import type { TunnelSession } from "./session.ts";
import type { TunnelStream } from "./stream.ts";

/** The request got no answer, or none that could be read: the tunnel or the other side broke off. */
export class TunnelRequestError extends Error {
  override readonly name = "TunnelRequestError";
}

/** An answer that has begun. Its body is the stream's data, which waits until the stream is resumed. */
export interface TunnelAnswer extends ResponseHead {
  stream: TunnelStream;
}

/** Sends a request through the tunnel. Rejects with a `TunnelRequestError` without an answer, and with the signal's reason; an abort later ends the answer. */
export function sendRequest(session: TunnelSession, head: RequestHead, { body, signal }: { body?: Uint8Array; signal?: AbortSignal } = {}): Promise<TunnelAnswer> {
  signal?.throwIfAborted();
  let stream: TunnelStream;
  try {
    stream = session.open(head);
  } catch (error) {
    return Promise.reject(new TunnelRequestError((error as Error).message, { cause: error }));
  }
  const { promise, resolve, reject } = Promise.withResolvers<TunnelAnswer>();
  const onAbort = (): void => {
    reject(signal!.reason);
    stream.destroy("canceled");
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  stream.onClose = () => {
    signal?.removeEventListener("abort", onAbort);
    reject(new TunnelRequestError(stream.broken ?? "the stream ended without an answer"));
  };
  stream.onHead = (payload) => {
    try {
      const answer = decodeResponseHead(payload);
      if (answer.mode === "upgrade") stream.raw = true;
      stream.onClose = () => signal?.removeEventListener("abort", onAbort);
      resolve({ ...answer, stream });
    } catch (error) {
      reject(new TunnelRequestError((error as Error).message));
      stream.destroy("malformed answer");
    }
  };
  if (body && body.length > 0) stream.write(body);
  // An upgrade's stream goes on; whether it is one, the answer says.
  if (!head.headers["upgrade"]) stream.end();
  return promise;
}

/** The body of an answer in pieces, each read when the one before was used. Throws a `TunnelRequestError` where it breaks off; leaving the loop cancels it. */
export async function* bodyOf({ stream }: TunnelAnswer): AsyncGenerator<Buffer> {
  const pieces: Buffer[] = [];
  let over = false, wake = (): void => {};
  const onClose = stream.onClose;
  const ended = (): void => {
    over = true;
    wake();
  };
  stream.onData = (bytes) => {
    pieces.push(bytes);
    stream.pause();
    wake();
  };
  stream.onEnd = ended;
  stream.onClose = () => {
    onClose();
    ended();
  };
  try {
    for (;;) {
      const next = pieces.shift();
      if (next) yield next;
      else if (over || stream.closed) break;
      else {
        const woken = new Promise<void>((resolve) => (wake = resolve));
        stream.resume();
        await woken;
      }
    }
    if (stream.broken !== undefined) throw new TunnelRequestError(stream.broken);
  } finally {
    if (!over) stream.destroy("canceled");
  }
}

/** What the other side serves, for requests of this one. Rejects with a `TunnelRequestError` while no answer has begun. */
export function handlerThrough(session: TunnelSession, role: number): HttpHandler {
  return async (request, response) => {
    const { method, url, headers } = request;
    const upgrades = headers["upgrade"] !== undefined;
    const body = upgrades ? undefined : await request.body();
    const answer = await sendRequest(session, { method, url, headers, role }, { ...(body ? { body } : {}), signal: request.signal });
    if (answer.mode === "upgrade") {
      if (upgrades) return join(response.upgrade(answer.headers), answer.stream);
      answer.stream.destroy("nothing was to be upgraded");
      throw new TunnelRequestError("the answer is an upgrade that nobody asked for");
    }
    if (upgrades) answer.stream.end();
    if (answer.mode === "whole") {
      const pieces: Buffer[] = [];
      let length = 0;
      for await (const piece of bodyOf(answer)) {
        pieces.push(piece);
        length += piece.length;
        if (length > mostWhole) throw new TunnelRequestError("the answer is too long to be a whole one");
      }
      return response.send(answer.status, answer.headers, Buffer.concat(pieces));
    }
    const out = response.stream(answer.status, answer.headers);
    try {
      for await (const piece of bodyOf(answer)) if (!out.write(piece)) await out.drained();
      out.end();
    } catch {
      out.abort();
    }
  };
}

function join(client: RawConnection, stream: TunnelStream): void {
  const onClose = stream.onClose;
  pipe(client, stream);
  const ended = stream.onClose;
  stream.onClose = () => {
    onClose();
    ended();
  };
  stream.resume();
}
