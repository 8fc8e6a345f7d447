import type { Filter } from "../exchange.ts";
import { requestInfo } from "../request-info.ts";

/** Throws a URIError for a path with malformed percent-encoding. */
export const withRequestInfo: Filter = (exchange, next) => {
  if (exchange.path.includes("%")) exchange.path = decodeURIComponent(exchange.path);
  exchange.info = requestInfo(exchange.request.method, exchange.path, exchange.query);
  return next(exchange);
};
