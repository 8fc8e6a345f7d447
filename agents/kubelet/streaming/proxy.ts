import type { HeaderFields, HttpRequest, HttpResponse, RawConnection } from "../../../src/base/http.ts";
import { pipe } from "../../../src/base/stream/pipe.ts";
import { upgradeRuntime, type RuntimeAnswer } from "./runtime-upgrade.ts";

/** What of a client's upgrade request the runtime has to see, and of its answer the client. */
const requestFields = ["upgrade", "sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol", "x-stream-protocol-version"];
const answerFields = ["upgrade", "sec-websocket-accept", "sec-websocket-protocol", "x-stream-protocol-version"];

/**
 * Passes an upgrade request on to the runtime and then every byte both ways: client and runtime agree on the protocol between them.
 * The runtime's refusal becomes the client's.
 */
export async function proxyUpgrade(request: HttpRequest, response: HttpResponse, url: string): Promise<void> {
  const headers: HeaderFields = { Connection: "Upgrade" };
  for (const name of requestFields) {
    const value = request.headers[name];
    if (value === undefined) continue;
    // Runtimes of Kubernetes 1.22 and before read one protocol version from each field, not a list.
    headers[name] = name === "x-stream-protocol-version" ? value.split(",").map((version) => version.trim()) : value;
  }
  const answer = await upgradeRuntime({ method: request.method, url, headers });
  if (!answer.upgraded) return refuse(response, answer);
  const accepted: HeaderFields = { Connection: "Upgrade" };
  for (const name of answerFields) if (answer.headers[name] !== undefined) accepted[name] = answer.headers[name];
  pipe(answer.connection, upgradeClient(response, accepted, answer.connection));
  if (answer.early.length > 0) answer.connection.onData(answer.early);
}

/** Upgrades the client; when it has gone away meanwhile, throws, and lets go of the runtime. */
export function upgradeClient(response: HttpResponse, headers: HeaderFields, runtime: RawConnection): RawConnection {
  try {
    return response.upgrade(headers);
  } catch (error) {
    runtime.destroy();
    throw error;
  }
}

/** Passes on that the runtime will not stream, and why. */
export function refuse(response: HttpResponse, { status, headers, body }: Extract<RuntimeAnswer, { upgraded: false }>): void {
  const accepted = headers["x-accepted-stream-protocol-versions"];
  response.send(status < 400 ? 502 : status, {
    "Content-Type": headers["content-type"] ?? "text/plain",
    ...(accepted === undefined ? {} : { "X-Accepted-Stream-Protocol-Versions": accepted }),
  }, body);
}
