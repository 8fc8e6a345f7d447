import { internalError, StatusError, badRequest } from "../../apimachinery/status.ts";
import type { Logger } from "../../base/log.ts";
import { replyStatus } from "../encoding/reply-encoded.ts";
import type { Filter } from "../exchange.ts";

/**
 * The one place where what a request threw becomes its answer. Unknown errors are logged, but not a client's malformed URL, and clients learn no more than that.
 * A stream that had begun can't be answered any more: the front breaks it off.
 */
export function withRecovery({ log }: { log: Logger }): Filter {
  return async (exchange, next) => {
    try {
      await next(exchange);
    } catch (error) {
      if (!(error instanceof StatusError || error instanceof URIError)) log.error("request failed", { method: exchange.request.method, path: exchange.path, error });
      if (exchange.response.started && !exchange.replied) throw error;
      replyStatus(exchange, statusOf(error));
    }
  };
}

export function statusOf(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (error instanceof URIError) return badRequest("the request path is not properly percent-encoded");
  return internalError(new Error("the server failed to handle the request", { cause: error }));
}
