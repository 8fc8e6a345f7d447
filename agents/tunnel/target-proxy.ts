import type { HttpHandler, HttpRequest, HttpResponse } from "../../src/base/http.ts";
import { answerFields, fetchFrom, isOfOneHop, passOn } from "../../src/base/proxy/fetch.ts";
import { authority, pathOf, type ProxyTarget } from "../../src/base/proxy/target.ts";
import { joinSocket, openUpgrade, UpgradeRefused, type Upgraded } from "../../src/base/proxy/upgrade.ts";
import { targetOf } from "../../src/base/tunnel/target-path.ts";

/**
 * The way to pods that the server may have no route to, for its proxies of pods, services and nodes. The server has checked by then who may,
 * and that the target is one.
 */
export const targetProxy: HttpHandler = (request, response) => {
  const target = targetOf(request.url);
  if (!target) return response.send(404, {}, "no target\n");
  return request.headers["upgrade"] ? upgrade(target, request, response) : pass(target, request, response);
};

const refuse = (response: HttpResponse, message: string): void =>
  response.send(503, { "Content-Type": "application/json" }, JSON.stringify({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason: "ServiceUnavailable", code: 503 }));

async function pass(target: ProxyTarget, request: HttpRequest, response: HttpResponse): Promise<void> {
  let answer: Response;
  try {
    answer = await fetchFrom(target, { method: request.method, headers: fieldsFor(request), body: await request.body(), signal: request.signal });
  } catch (error) {
    if (request.signal.aborted) return;
    return refuse(response, `error trying to reach service: ${(error as Error).message}`);
  }
  if (!answer.body) return response.send(answer.status, answerFields(answer));
  await passOn(answer.body, response.stream(answer.status, answerFields(answer)));
}

async function upgrade(target: ProxyTarget, request: HttpRequest, response: HttpResponse): Promise<void> {
  const headers = { ...fieldsFor(request), host: authority(target), connection: "Upgrade", upgrade: request.headers["upgrade"]! };
  const { host, port, scheme } = target;
  let upgraded: Upgraded;
  try {
    upgraded = await openUpgrade({ host, port, ...(scheme === "https" ? { tls: { rejectUnauthorized: false } } : {}) }, { method: request.method, path: pathOf(target), headers }, request.signal);
  } catch (error) {
    const { message } = error as Error;
    return refuse(response, error instanceof UpgradeRefused ? `the server did not agree to upgrade: ${message}` : `error trying to reach service: ${message}`);
  }
  joinSocket(response.upgrade(upgraded.headers), upgraded);
}

const fieldsFor = ({ headers }: HttpRequest): Record<string, string> => Object.fromEntries(Object.entries(headers).filter(([name]) => !isOfOneHop(name) && name !== "host"));
