import { badRequest, timeout } from "../../apimachinery/status.ts";
import { parseGoDuration } from "../../base/go-duration.ts";
import { replyStatus } from "../encoding/reply-encoded.ts";
import type { Exchange, Filter } from "../exchange.ts";

const longSubresources = new Set(["attach", "exec", "log", "portforward", "proxy"]);

/** Watches and connections last as long as they like. */
export const isLongRunning = ({ info }: Exchange): boolean => info.verb === "watch" || info.verb === "proxy" || longSubresources.has(info.subresource);

/** Answers 504 when a request takes longer than this, or than the `timeout` its client gave; what it does then goes unheard. */
export function withTimeout({ milliseconds }: { milliseconds: number }): Filter {
  return async (exchange, next) => {
    if (isLongRunning(exchange)) return next(exchange);
    const timer = setTimeout(() => replyStatus(exchange, timeout("Timeout: request did not complete within the allotted timeout")), Math.min(milliseconds, asked(exchange.query) ?? milliseconds));
    try {
      await next(exchange);
    } finally {
      clearTimeout(timer);
    }
  };
}

/** `timeout=32s`, as client-go sends it; 0 is no wish. Throws 400 for what is no duration. */
function asked(query: URLSearchParams): number | undefined {
  const text = query.get("timeout");
  if (!text) return undefined;
  try {
    const milliseconds = parseGoDuration(text);
    return milliseconds > 0 ? milliseconds : undefined;
  } catch (error) {
    throw badRequest(`invalid timeout specified in the request URL - ${(error as Error).message}`);
  }
}
