import { proxyOption } from "../../base/proxy/environment.ts";

/** Where an extender is, and how it is reached. */
export interface ExtenderEndpoint {
  urlPrefix: string;
  /** Of one call, in milliseconds; negative: none. */
  httpTimeout: number;
  tls: ExtenderTls;
}

/** PEM. */
export interface ExtenderTls {
  insecure: boolean;
  ca?: string;
  cert?: string;
  key?: string;
  serverName?: string;
}

/** The longest a timer can wait. */
const longest = 2 ** 31 - 1;

/** Posts JSON and resolves to the JSON that is answered. Rejects as Go's HTTP client would say it. */
export async function post({ urlPrefix, httpTimeout, tls }: ExtenderEndpoint, verb: string, body: unknown, stop: AbortSignal): Promise<unknown> {
  const url = `${urlPrefix.replace(/\/+$/, "")}/${verb}`;
  const giveUp = new AbortController();
  const stopped = (): void => giveUp.abort(stop.reason);
  stop.addEventListener("abort", stopped, { once: true });
  if (stop.aborted) stopped();
  const timer = httpTimeout > 0 ? setTimeout(() => giveUp.abort(new DOMException("the time is over", "TimeoutError")), Math.min(httpTimeout, longest)) : undefined;
  const { insecure, ...material } = tls;
  try {
    return await exchange(url, verb, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, signal: giveUp.signal, tls: { ...material, rejectUnauthorized: !insecure } });
  } finally {
    clearTimeout(timer);
    stop.removeEventListener("abort", stopped);
  }
}

async function exchange(url: string, verb: string, request: BunFetchRequestInit): Promise<unknown> {
  const response = await fetch(url, { ...request, ...proxyOption(url) }).catch((error: unknown) => {
    throw new Error(`Post ${JSON.stringify(url)}: ${reasonOf(error, url)}`, { cause: error });
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`failed ${verb} with extender at URL ${url}, code ${response.status}`);
  }
  const text = await response.text().catch((error: unknown) => {
    throw new Error((error as Error).name === "TimeoutError" ? "context deadline exceeded (Client.Timeout or context cancellation while reading body)" : (error as Error).message, { cause: error });
  });
  if (text.trim() === "") throw new Error("EOF");
  return JSON.parse(text);
}

function reasonOf(error: unknown, url: string): string {
  const { name, message, code } = error as Error & { code?: string };
  if (name === "TimeoutError") return "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
  if (code !== "ConnectionRefused" && code !== "ECONNREFUSED") return message;
  const { host, port, protocol } = new URL(url);
  return `dial tcp ${port ? host : `${host}:${protocol === "https:" ? 443 : 80}`}: connect: connection refused`;
}
