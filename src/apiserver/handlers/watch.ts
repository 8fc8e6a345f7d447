import { StatusError, badRequest } from "../../apimachinery/status.ts";
import type { HttpStream } from "../../base/http.ts";
import { negotiate, offerOf } from "../encoding/negotiation.ts";
import { includeObjectOf } from "../encoding/table.ts";
import { errorFrame, frameFormat } from "../encoding/watch-frames.ts";
import { withWarnings, type Exchange } from "../exchange.ts";
import { statusOf } from "../filters/recovery.ts";
import type { ResourceHandler } from "./handler.ts";
import { watchOptions } from "./options.ts";

/** Without timeoutSeconds a watch ends after 30 to 60 minutes, at random, so that watchers spread. */
const shortestDefault = 1800;
/** Events held for a client that has not yet read what was sent before; past that it is cut off, and lists again. Bytes. */
const mostHeld = 4 << 20;

export const watch: ResourceHandler = async ({ registry, frames, now, stopping }, exchange, card) => {
  const media = negotiate(exchange, { ...offerOf(card), streaming: true });
  const options = watchOptions(exchange, card.scope === "Namespaced");
  if ((options.timeoutSeconds ?? 0) < 0) throw badRequest("timeoutSeconds must not be negative");
  const format = frameFormat(card, media, includeObjectOf(exchange.query), now);
  const ending = endOf(exchange, stopping, options.timeoutSeconds || shortestDefault * (1 + Math.random()));
  const writer = new WatchWriter(exchange, ending.abort);
  try {
    const watching = registry.watch(card, options, (events) => {
      writer.write(events.length === 1 ? frames.frame(events[0]!, format) : Buffer.concat(events.map((event) => frames.frame(event, format))));
    }, ending.signal);
    // What is wrong with the options shows at once and is answered as an error; the rest of a watch's life is a stream.
    await Promise.race([watching, new Promise((resolve) => setImmediate(resolve))]);
    writer.start();
    await watching;
  } catch (error) {
    if (!writer.started && !(error instanceof StatusError && error.code === 410)) throw error;
    writer.write(errorFrame(statusOf(error)));
  } finally {
    ending.dispose();
    writer.end();
  }
};

/** A signal that aborts when the client goes, the time is over or the server stops. */
function endOf({ request }: Exchange, stopping: AbortSignal, seconds: number): { signal: AbortSignal; abort: () => void; dispose: () => void } {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  const timer = setTimeout(abort, Math.min(seconds * 1000, 2 ** 31 - 1));
  request.signal.addEventListener("abort", abort, { once: true });
  stopping.addEventListener("abort", abort, { once: true });
  if (request.signal.aborted || stopping.aborted) abort();
  return {
    signal: controller.signal, abort,
    dispose: () => {
      clearTimeout(timer);
      request.signal.removeEventListener("abort", abort);
      stopping.removeEventListener("abort", abort);
    },
  };
}

/** Writes frames to one client, holding them back while it reads slowly. A long first batch (an initial list) may take its time. */
class WatchWriter {
  private stream: HttpStream | undefined;
  private held: Buffer[] | undefined;
  private heldBytes = 0;

  constructor(private readonly exchange: Exchange, private readonly abort: () => void) {}

  get started(): boolean {
    return this.stream !== undefined;
  }

  start(): HttpStream {
    if (this.stream) return this.stream;
    this.exchange.status = 200;
    return this.stream = this.exchange.response.stream(200, withWarnings(this.exchange, { "Content-Type": "application/json", "Cache-Control": "no-cache, private" }));
  }

  write(framed: Buffer): void {
    const stream = this.start();
    if (this.held) return this.hold(stream, framed);
    if (stream.writeFramed(framed)) return;
    this.held = [];
    this.heldBytes = 0;
    void stream.drained().then(() => this.release());
  }

  private hold(stream: HttpStream, framed: Buffer): void {
    this.held!.push(framed);
    this.heldBytes += framed.length;
    if (this.heldBytes <= mostHeld) return;
    this.held = undefined;
    stream.abort();
    this.abort();
  }

  private release(): void {
    const held = this.held;
    this.held = undefined;
    if (held?.length) this.write(Buffer.concat(held));
  }

  end(): void {
    if (!this.stream) return;
    if (this.held?.length) this.stream.writeFramed(Buffer.concat(this.held));
    this.held = undefined;
    this.stream.end();
  }
}
