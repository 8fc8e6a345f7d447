import { internalError, requestEntityTooLarge, StatusError } from "../../apimachinery/status.ts";

const reasons: Record<number, string> = { 400: "BadRequest", 408: "Timeout", 413: "RequestEntityTooLarge", 503: "ServiceUnavailable" };

/** The error of a request that the front itself turns down: malformed, or over a limit. */
export function refusal(code: number, message: string): StatusError {
  const reason = reasons[code];
  return new StatusError({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, ...(reason ? { reason } : {}), code });
}

export const bodyTooLarge = (limit: number): StatusError => requestEntityTooLarge(`Request entity too large: limit is ${limit}`);

/** What a handler threw, as the Status that the client gets. The text of an unknown error stays here: it may name internals. */
export function statusOf(thrown: unknown): StatusError {
  if (thrown instanceof StatusError) return thrown;
  return internalError(new Error("the server failed to handle the request", { cause: thrown }));
}
