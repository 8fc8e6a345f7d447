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

/** Posts JSON and resolves to the JSON that is answered. Rejects as Go's HTTP client would say it. */
export async function post({ urlPrefix, httpTimeout, tls }: ExtenderEndpoint, verb: string, body: unknown, stop: AbortSignal): Promise<unknown> {
  const url = `${urlPrefix.replace(/\/+$/, "")}/${verb}`;
  const signal = httpTimeout > 0 ? AbortSignal.any([stop, AbortSignal.timeout(httpTimeout)]) : stop;
  const { insecure, ...material } = tls;
  const response = await fetch(url, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, signal, tls: { ...material, rejectUnauthorized: !insecure } }).catch((error: unknown) => {
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
