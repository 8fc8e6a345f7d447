import { badRequest, StatusError } from "../../apimachinery/status.ts";
import { isWebSocketUpgrade } from "../../base/websocket/handshake.ts";
import { negotiateWatch, offerOf } from "../encoding/negotiation.ts";
import { includeObjectOf } from "../encoding/table.ts";
import { watchFormat } from "../encoding/watch-frames.ts";
import type { Exchange } from "../exchange.ts";
import { statusOf } from "../filters/recovery.ts";
import type { ResourceHandler } from "./handler.ts";
import { watchOptions } from "./options.ts";
import { WatchStream, type WatchOutput } from "./watch-stream.ts";
import { WatchWebSocket } from "./watch-websocket.ts";

/** Without timeoutSeconds a watch ends after 30 to 60 minutes, at random, so that watchers spread. */
const shortestDefault = 1800;

export const watch: ResourceHandler = async ({ registry, frames, now, stopping }, exchange, card) => {
  const media = negotiateWatch(exchange, offerOf(card));
  const options = watchOptions(exchange, card.scope === "Namespaced");
  if ((options.timeoutSeconds ?? 0) < 0) throw badRequest("timeoutSeconds must not be negative");
  const format = watchFormat(card, media, media.as === "Table" ? includeObjectOf(exchange.query) : "None", now);
  const ending = endOf(exchange, stopping, options.timeoutSeconds || shortestDefault * (1 + Math.random()));
  const parts = { exchange, format, encoding: media.watch, frames, abort: ending.abort };
  const output: WatchOutput = isWebSocketUpgrade(exchange.request.headers) ? new WatchWebSocket(parts) : new WatchStream(parts);
  try {
    const watching = registry.watch(card, options, (events) => output.send(events), ending.signal);
    // What is wrong with the options shows at once and is answered as an error; the rest of a watch's life is a stream.
    await Promise.race([watching, new Promise((resolve) => setImmediate(resolve))]);
    output.start();
    await watching;
  } catch (error) {
    if (!output.started && !(error instanceof StatusError && error.code === 410)) throw error;
    output.fail(statusOf(error));
  } finally {
    ending.dispose();
    output.end();
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
