import type { IncomingMessage } from "node:http";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { HeaderFields } from "../../base/http.ts";
import { logger } from "../../base/log.ts";
import { reply, withWarnings, type Exchange } from "../exchange.ts";
import { isLongRunning } from "../filters/timeout.ts";
import { forwardedHeaders } from "../handlers/connect/reverse-proxy.ts";
import { forwardUpgrade } from "../handlers/connect/upgrade-proxy.ts";
import { isAvailable, type ApiService } from "./api-service.ts";
import { hostOf, type RemoteServers } from "./remote-server.ts";
import { isRemoteUserHeader, remoteUserHeaders } from "./remote-user.ts";

const log = logger("aggregator");
/** A request that does not last is given up after this: its client was told so before. */
const mostMs = 65_000;

/**
 * Hands a request on to the extension API server of its APIService, in the name of its user; watches and upgrades stream through.
 * Refusals are plain text, as kube-aggregator's are.
 */
export async function proxyTo(servers: RemoteServers, service: Frozen<ApiService>, exchange: Exchange): Promise<void> {
  const { request, user } = exchange;
  const unavailable = (): void => reply(exchange, 503, { "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff" }, "service unavailable\n");
  if (!isAvailable(service)) return unavailable();
  const headers = { ...withoutClaims(forwardedHeaders(exchange)), ...remoteUserHeaders(user), "X-Forwarded-Host": request.headers["host"] ?? "", "X-Forwarded-Proto": "https" };
  let answer: IncomingMessage;
  try {
    if (request.headers["upgrade"]) {
      const { address, tls } = servers.locate(service);
      const [path = "", search = ""] = splitUrl(request.url);
      return await forwardUpgrade(exchange, { scheme: "https", ...address, path, search, tls, authority: hostOf(service), headers });
    }
    answer = await servers.request(service, { method: request.method, path: request.url, headers, body: await request.body(), signal: isLongRunning(exchange) ? request.signal : AbortSignal.any([request.signal, AbortSignal.timeout(mostMs)]) });
  } catch (error) {
    // The client has gone, or has had its answer: that it took too long.
    if (request.signal.aborted || exchange.response.started) return;
    log.info("an aggregated API can't be reached", { apiService: service.metadata.name, error });
    return reply(exchange, 503, { "Content-Type": "text/plain; charset=utf-8" }, `error trying to reach service: ${(error as Error).message}\n`);
  }
  await relay(exchange, answer);
}

const splitUrl = (url: string): string[] => {
  const mark = url.indexOf("?");
  return mark < 0 ? [url] : [url.slice(0, mark), url.slice(mark + 1)];
};

const withoutClaims = (headers: Record<string, string>): Record<string, string> => Object.fromEntries(Object.entries(headers).filter(([name]) => !isRemoteUserHeader(name)));

/** Fields of one hop, and those that the front writes itself. */
const dropped = new Set(["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "date"]);

async function relay(exchange: Exchange, answer: IncomingMessage): Promise<void> {
  const status = answer.statusCode ?? 502;
  const headers: HeaderFields = {};
  for (const [name, value] of Object.entries(answer.headers)) if (value !== undefined && !dropped.has(name)) headers[name] = value;
  // The answer to a timeout may have been sent meanwhile.
  if (exchange.response.started) return void answer.destroy();
  exchange.status = status;
  const stream = exchange.response.stream(status, withWarnings(exchange, headers));
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) if (!stream.write(chunk)) await stream.drained();
    stream.end();
  } catch {
    stream.abort();
  }
}
