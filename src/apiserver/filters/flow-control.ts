import type { FlowController } from "../flowcontrol/flow-controller.ts";
import { widthOf } from "../flowcontrol/width.ts";
import { reply, type Filter } from "../exchange.ts";
import { isLongRunning } from "./timeout.ts";

/** Lets requests run when it is their turn (priority and fairness). Connections that last are not counted, but for the beginning of watches. */
export function withFlowControl({ flow, count }: { flow: FlowController; count: Parameters<typeof widthOf>[1] }): Filter {
  return async (exchange, next) => {
    const watching = exchange.info.verb === "watch";
    const classified = isLongRunning(exchange) && !watching ? undefined : flow.classify(exchange.user, exchange.info);
    if (!classified) return next(exchange);
    const { schema, level } = classified;
    exchange.extraHeaders = { ...exchange.extraHeaders, "X-Kubernetes-Pf-Flowschema-Uid": schema.metadata.uid ?? "", "X-Kubernetes-Pf-Prioritylevel-Uid": level.object.metadata.uid ?? "" };
    const acquired = flow.acquire(classified, widthOf(exchange, count), () => exchange.request.signal);
    const ticket = acquired instanceof Promise ? await acquired : acquired;
    if (ticket.rejected === "cancelled") return;
    if (ticket.rejected) return reply(exchange, 429, { "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff", "Retry-After": "1" }, "Too many requests, please try again later.\n");
    // What a watch costs is its beginning: what is sent later is shared by all who watch.
    if (watching) setImmediate(ticket.release);
    try {
      await next(exchange);
    } finally {
      ticket.release();
    }
  };
}
