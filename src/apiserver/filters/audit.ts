import { internalError, StatusError } from "../../apimachinery/status.ts";
import type { HttpResponse } from "../../base/http.ts";
import type { Auditor, AuditRecord } from "../audit/auditor.ts";
import type { Filter } from "../exchange.ts";
import { statusOf } from "./recovery.ts";
import { isLongRunning } from "./timeout.ts";

/** Records requests that nobody's credentials opened; stands before authentication. */
export function withFailedAuthenticationAudit({ auditor }: { auditor: Auditor }): Filter {
  return async (exchange, next) => {
    const received = Date.now();
    try {
      await next(exchange);
    } catch (error) {
      if (!exchange.audited && error instanceof StatusError && error.code === 401) auditor.begin(exchange, received)?.stage("ResponseStarted", answered(error));
      throw error;
    }
  };
}

/** Records each request at its stages, as the policy says; stands behind authentication. */
export function withAudit({ auditor }: { auditor: Auditor }): Filter {
  return async (exchange, next) => {
    exchange.audited = true;
    const record = auditor.begin(exchange, Date.now());
    if (!record) return next(exchange);
    exchange.audit = record;
    if (!record.stage("RequestReceived")) throw internalError(new Error("failed to store audit event"));
    if (isLongRunning(exchange)) exchange.response = announcing(exchange.response, record);
    try {
      await next(exchange);
      record.stage("ResponseComplete", { code: exchange.status || 200 });
    } catch (error) {
      const status = answered(statusOf(error));
      if (!(error instanceof StatusError)) record.stage("Panic", status);
      record.stage("ResponseComplete", status);
      throw error;
    }
  };
}

function answered({ status: { status, message, reason, details, code } }: StatusError): Parameters<AuditRecord["stage"]>[1] {
  return { ...(status ? { status } : {}), message, ...(reason ? { reason } : {}), ...(details ? { details } : {}), code };
}

/** A response that takes its time: its beginning is a stage of its own. */
function announcing(response: HttpResponse, record: AuditRecord): HttpResponse {
  return {
    get started() {
      return response.started;
    },
    send: (status, headers, body) => response.send(status, headers, body),
    stream(status, headers) {
      record.stage("ResponseStarted", { code: status });
      return response.stream(status, headers);
    },
    upgrade(headers) {
      record.stage("ResponseStarted", { code: 101 });
      return response.upgrade(headers);
    },
  };
}
