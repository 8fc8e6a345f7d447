import { randomUUID } from "node:crypto";
import type { HeaderFields, HttpRequest, HttpResponse } from "../base/http.ts";
import type { RequestContext, UserInfo } from "../registry/attributes.ts";
import type { AuditRecord } from "./audit/auditor.ts";
import type { RequestInfo } from "./request-info.ts";

/** One request on its way through the chain: what filters have found out about it, and where handlers answer. */
export interface Exchange {
  readonly request: HttpRequest;
  response: HttpResponse;
  /** Set by the request-info filter: percent-decoded, and what authorization and routing both go by. */
  path: string;
  readonly query: URLSearchParams;
  /** Set by the request-info filter. */
  info: RequestInfo;
  /** Set by authentication, replaced by impersonation. */
  user: UserInfo;
  /** Texts for `Warning: 299` headers. */
  readonly warnings: string[];
  /** The status code sent, 0 before that; for metrics. */
  status: number;
  /** A complete answer has been sent by `reply`. */
  replied: boolean;
  /** Names the request in the answer and in audit. The client may have chosen it, so that one request through several servers has one. */
  readonly auditId: string;
  /** Where audit keeps what happens to this request; absent where nothing is recorded of it. */
  audit?: AuditRecord;
  /** Audit has seen this request. */
  audited?: true;
  /** Fields that filters want in the answer. */
  extraHeaders?: Record<string, string>;
}

export type ExchangeHandler = (exchange: Exchange) => void | Promise<void>;
/** A step of the chain: answers, throws a StatusError, or calls `next`. */
export type Filter = (exchange: Exchange, next: ExchangeHandler) => void | Promise<void>;

const nobody: UserInfo = { name: "", groups: [] };
const unknown: RequestInfo = { isResource: false, verb: "", path: "", apiPrefix: "", group: "", version: "", namespace: "", resource: "", subresource: "", name: "", parts: [] };

/** Nobody changes a query. */
const noQuery = new URLSearchParams();

export function newExchange(request: HttpRequest, response: HttpResponse): Exchange {
  const mark = request.url.indexOf("?");
  return {
    request, response,
    path: mark < 0 ? request.url : request.url.slice(0, mark),
    query: mark < 0 ? noQuery : new URLSearchParams(request.url.slice(mark + 1)),
    info: unknown, user: nobody, warnings: [], status: 0, replied: false, auditId: auditIdOf(request),
  };
}

function auditIdOf({ headers }: HttpRequest): string {
  const asked = headers["audit-id"];
  return asked && asked.length <= 64 ? asked : randomUUID();
}

/** The only way handlers answer at once: adds warnings, remembers the code, and does nothing when a timeout has answered before. */
export function reply(exchange: Exchange, status: number, headers: HeaderFields, body?: string | Uint8Array): void {
  if (exchange.response.started) return;
  exchange.status = status;
  exchange.replied = true;
  exchange.response.send(status, withWarnings(exchange, headers), body);
}

/** 404 for a path that nobody answers for, as Go's servers word it. */
export function replyPageNotFound(exchange: Exchange): void {
  reply(exchange, 404, { "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache, private" }, "404 page not found\n");
}

export function withWarnings({ auditId, extraHeaders, warnings }: Exchange, headers: HeaderFields): HeaderFields {
  const all = { ...headers, "Audit-Id": auditId, ...extraHeaders };
  if (warnings.length === 0) return all;
  return { ...all, Warning: warnings.map((text) => `299 - "${text.replace(/[\r\n]+/g, " ").replace(/["\\]/g, "\\$&")}"`) };
}

/** What the registry needs to know of the request. Equal warnings are given once. */
export function requestContext(exchange: Exchange): RequestContext {
  return {
    user: exchange.user,
    defaultManager: managerOfUserAgent(exchange.request.headers["user-agent"] ?? ""),
    warn: (text) => {
      if (!exchange.warnings.includes(text)) exchange.warnings.push(text);
    },
    ...(exchange.audit ? { annotate: exchange.audit.annotate } : {}),
  };
}

/** What stands before the first slash, without what can't be printed, within 128 bytes. */
function managerOfUserAgent(userAgent: string): string {
  let manager = "", bytes = 0;
  for (const rune of userAgent.split("/", 1)[0]!) {
    if (!/[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(rune)) continue;
    bytes += Buffer.byteLength(rune);
    if (bytes > 128) break;
    manager += rune;
  }
  return manager;
}
