import { serviceUnavailable, StatusError } from "../../../apimachinery/status.ts";
import type { HttpHandler, HttpResponse } from "../../../base/http.ts";
import { answerFields, fetchFrom, isOfOneHop, passOn } from "../../../base/proxy/fetch.ts";
import { authority, type ProxyTarget } from "../../../base/proxy/target.ts";
import { targetPath } from "../../../base/tunnel/target-path.ts";
import { withWarnings, type Exchange } from "../../exchange.ts";
import { throughProxy } from "./page-links.ts";
import { prefixOfProxy } from "./proxy-target.ts";
import { forwardUpgrade } from "./upgrade-proxy.ts";

/** A target whose certificate is checked, and that learns more than the client sent. */
export interface TrustedTarget extends ProxyTarget {
  tls: { servername: string; ca?: string; cert: string; key: string; rejectUnauthorized: boolean };
  /** The Host field. */
  authority: string;
  /** All fields but those of the connection. */
  headers: Readonly<Record<string, string | readonly string[]>>;
}

/** Credentials, which are for us and not for what we forward to. */
const credentials = new Set(["authorization", "impersonate-user", "impersonate-group", "impersonate-uid"]);
const isForwarded = (name: string): boolean => !isOfOneHop(name) && name !== "host" && !credentials.has(name) && !name.startsWith("impersonate-extra-");

export function forwardedHeaders({ request }: Exchange): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) if (isForwarded(name)) headers[name] = value;
  headers["x-forwarded-for"] = headers["x-forwarded-for"] ? `${headers["x-forwarded-for"]}, ${request.remoteAddress}` : request.remoteAddress;
  return headers;
}

/** A plain reverse proxy: streams the answer, follows no redirect, and hands upgraded connections through. `via` is a node that can reach the target where this server can't. */
export async function forward(exchange: Exchange, target: ProxyTarget, via?: HttpHandler): Promise<void> {
  const { request } = exchange;
  if (via) return forwardVia(exchange, target, via);
  if (request.headers["upgrade"]) return forwardUpgrade(exchange, target);
  const response = responseTo(exchange, target);
  const body = await request.body();
  let answer: Response;
  try {
    answer = await fetchFrom(target, { method: request.method, headers: forwardedHeaders(exchange), body, signal: request.signal });
  } catch (error) {
    throw new StatusError(serviceUnavailable(`error trying to reach service: ${(error as Error).message}`).status, { cause: error });
  }
  exchange.status = answer.status;
  const headers = withWarnings(exchange, answerFields(answer));
  if (!answer.body) return response.send(answer.status, headers);
  await passOn(answer.body, response.stream(answer.status, headers));
}

/** A client below the proxy's path finds the target's links there too. */
function responseTo({ request, response }: Exchange, target: ProxyTarget): HttpResponse {
  const prefix = prefixOfProxy(request.url);
  return prefix ? throughProxy(response, { prefix, host: request.headers["host"] ?? "", target: authority(target) }) : response;
}

/** The node's agent goes on from here, as this server would. */
async function forwardVia(exchange: Exchange, target: ProxyTarget, via: HttpHandler): Promise<void> {
  const { request } = exchange, upgrade = request.headers["upgrade"];
  exchange.status = 200;
  await via({
    method: request.method, url: targetPath(target), headers: { ...forwardedHeaders(exchange), ...(upgrade ? { upgrade, connection: "Upgrade" } : {}) },
    remoteAddress: request.remoteAddress, body: () => request.body(), signal: request.signal,
  }, responseTo(exchange, target));
}
