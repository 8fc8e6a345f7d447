import { serviceUnavailable, StatusError } from "../../../apimachinery/status.ts";
import type { HeaderFields } from "../../../base/http.ts";
import { withWarnings, type Exchange } from "../../exchange.ts";
import { forwardUpgrade } from "./upgrade-proxy.ts";

/** Where a proxied request goes. `path` and `search` are as they stand in a URL, the search without its question mark. */
export interface ProxyTarget {
  scheme: "http" | "https";
  host: string;
  port: number;
  path: string;
  search: string;
}

/** A target whose certificate is checked, and that learns more than the client sent. */
export interface TrustedTarget extends ProxyTarget {
  tls: { servername: string; ca?: string; cert: string; key: string; rejectUnauthorized: boolean };
  /** The Host field. */
  authority: string;
  /** All fields but those of the connection. */
  headers: Readonly<Record<string, string | readonly string[]>>;
}

/** Fields of one hop (RFC 9110 section 7.6.1), and credentials, which are for us and not for what we forward to. */
const notForwarded = new Set([
  "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "host", "authorization",
  "impersonate-user", "impersonate-group", "impersonate-uid",
]);

export const authority = ({ host, port }: { host: string; port: number }): string => `${host.includes(":") ? `[${host}]` : host}:${port}`;

export function forwardedHeaders({ request }: Exchange): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) if (!notForwarded.has(name) && !name.startsWith("impersonate-extra-")) headers[name] = value;
  headers["x-forwarded-for"] = headers["x-forwarded-for"] ? `${headers["x-forwarded-for"]}, ${request.remoteAddress}` : request.remoteAddress;
  return headers;
}

/** A plain reverse proxy: streams the answer, follows no redirect, and hands upgraded connections through. */
export async function forward(exchange: Exchange, target: ProxyTarget): Promise<void> {
  const { request } = exchange;
  if (request.headers["upgrade"]) return forwardUpgrade(exchange, target);
  const body = await request.body();
  let answer: Response;
  try {
    answer = await fetch(`${target.scheme}://${authority(target)}${target.path}${target.search ? `?${target.search}` : ""}`, {
      method: request.method, headers: forwardedHeaders(exchange), redirect: "manual", signal: request.signal, decompress: false,
      tls: { rejectUnauthorized: false },
      ...(body.length > 0 ? { body } : {}),
    });
  } catch (error) {
    throw new StatusError(serviceUnavailable(`error trying to reach service: ${(error as Error).message}`).status, { cause: error });
  }
  await relay(exchange, answer);
}

async function relay(exchange: Exchange, answer: Response): Promise<void> {
  const headers: HeaderFields = {};
  for (const [name, value] of answer.headers) if (!notForwarded.has(name) && name !== "set-cookie") headers[name] = value;
  // The front dates every answer itself.
  delete headers["date"];
  const cookies = answer.headers.getSetCookie();
  if (cookies.length > 0) headers["set-cookie"] = cookies;
  exchange.status = answer.status;
  if (!answer.body) return exchange.response.send(answer.status, withWarnings(exchange, headers));
  const stream = exchange.response.stream(answer.status, withWarnings(exchange, headers));
  try {
    for await (const chunk of answer.body) if (!stream.write(chunk)) await stream.drained();
    stream.end();
  } catch {
    stream.abort();
  }
}
