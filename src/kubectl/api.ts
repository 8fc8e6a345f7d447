import type { Status } from "../apis/generated/meta/v1.ts";
import { ConnectionError, ServerError } from "./errors.ts";
import type { Connection } from "./kubeconfig.ts";

export interface Ask {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  query?: Record<string, string | number | boolean | undefined>;
  /** Sent as JSON, or as it is when a string. */
  body?: unknown;
  contentType?: string;
  accept?: string;
  signal?: AbortSignal;
  /** Milliseconds; 0 for as long as it takes, as watches and logs do. Default 60 s. */
  timeout?: number;
}

/** The API server as kubectl needs it: any path, errors as `ServerError`, warnings on stderr. */
export interface Api {
  readonly connection: Connection;
  /** The whole answer as JSON. */
  json<T>(path: string, ask?: Ask): Promise<T>;
  text(path: string, ask?: Ask): Promise<string>;
  /** An answer that is read as it comes. */
  stream(path: string, ask?: Ask): Promise<ReadableStream<Uint8Array>>;
  /** What each request carries: who asks. */
  headers(): Headers;
}

export function createApi(connection: Connection, { warn = (text) => void process.stderr.write(`Warning: ${text}\n`), userAgent = "kubectl" }: { warn?: (text: string) => void; userAgent?: string } = {}): Api {
  const tls = {
    ...(connection.ca ? { ca: connection.ca } : {}), ...(connection.cert ? { cert: connection.cert } : {}), ...(connection.key ? { key: connection.key } : {}),
    ...(connection.insecure ? { rejectUnauthorized: false } : {}), ...(connection.tlsServerName ? { serverName: connection.tlsServerName } : {}),
  };
  const warned = new Set<string>();

  async function send(path: string, { method = "GET", query = {}, body, contentType = "application/json", accept = "application/json", signal, timeout = 60_000 }: Ask): Promise<Response> {
    const headers = headersOf(connection, userAgent);
    headers.set("Accept", accept);
    if (body !== undefined) headers.set("Content-Type", contentType);
    const signals = [...(signal ? [signal] : []), ...(timeout ? [AbortSignal.timeout(timeout)] : [])];
    const url = connection.server + path + queryText(query);
    const response = await fetch(url, {
      method, headers, tls, ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }), ...(signals.length ? { signal: AbortSignal.any(signals) } : {}),
      // Bun would end what is silent for five minutes, as watches are.
      timeout: false,
    } as RequestInit).catch((error: Error) => {
      if (signal?.aborted) throw error;
      throw new ConnectionError(unreachable(connection, error));
    });
    for (const text of warningsIn(response.headers.get("warning"))) if (!warned.has(text)) warn((warned.add(text), text));
    if (!response.ok) throw new ServerError(await statusOf(response));
    return response;
  }

  return {
    connection,
    json: async <T>(path: string, ask: Ask = {}) => await (await send(path, ask)).json() as T,
    text: async (path, ask = {}) => (await send(path, ask)).text(),
    stream: async (path, ask = {}) => (await send(path, { timeout: 0, ...ask })).body ?? new ReadableStream(),
    headers: () => headersOf(connection, userAgent),
  };
}

function headersOf({ token, username, password, impersonation }: Connection, userAgent: string): Headers {
  const headers = new Headers({ "User-Agent": userAgent });
  if (token) headers.set("Authorization", `Bearer ${token}`);
  else if (username) headers.set("Authorization", `Basic ${Buffer.from(`${username}:${password ?? ""}`).toString("base64")}`);
  for (const [name, values] of Object.entries(impersonation)) for (const value of [values].flat()) headers.append(name, value);
  return headers;
}

function queryText(query: NonNullable<Ask["query"]>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "" && value !== false);
  return given.length ? `?${new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)]))}` : "";
}

/** `299 - "text"`, several of them in one field; quotes within are escaped. */
export function warningsIn(header: string | null): string[] {
  return [...(header ?? "").matchAll(/\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)].map((match) => match[1]!.replace(/\\(.)/g, "$1"));
}

const statusOf = async (response: Response): Promise<Status> => statusOfText(response.status, await response.text());

/** What an answer that is no success says, whoever gave it. */
export function statusOfText(code: number, body: string): Status {
  try {
    const status = JSON.parse(body) as Status & { kind?: string };
    if (status.kind === "Status") return status;
  } catch {
    // Not from the API server's own hand: what it says is the message.
  }
  return { status: "Failure", code, reason: reasons[code] ?? "", message: body.trim() || `the server answered ${code}` };
}

const reasons: Readonly<Record<number, string>> = { 400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed", 409: "Conflict", 500: "InternalError", 503: "ServiceUnavailable" };

function unreachable({ server }: Connection, error: Error): string {
  if (error.name === "TimeoutError") return `Unable to connect to the server: ${server} did not answer in time`;
  const code = (error as Error & { code?: string }).code ?? "";
  if (/CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO_VERIFY/i.test(code)) return `Unable to connect to the server: the certificate of ${server} is not trusted (${code})`;
  if (code === "ConnectionRefused" || code === "ECONNREFUSED") return `The connection to the server ${server.replace(/^https?:\/\//, "")} was refused - did you specify the right host or port?`;
  return `Unable to connect to the server: ${error.message}`;
}
