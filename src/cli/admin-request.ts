import { join } from "node:path";
import { isObject } from "../apimachinery/own.ts";
import { readIfExists } from "../base/files.ts";
import { readKubeconfig } from "../server/read-kubeconfig.ts";
import { UsageError } from "../server/settings.ts";

export interface AdminRequest {
  dataDir: string;
  kubeconfig?: string;
  method: "GET" | "POST";
  /** Below `/v1-skiff/`. */
  path: string;
  body?: unknown;
}

/** Nobody listens there, or never has. */
export class ServerAway extends UsageError {}

/** For the beginning of an answer; what follows may take as long as it takes. */
const defaultPatienceMs = 30_000;

/** Why there was no answer, where Bun's own words are a question. */
export const whyUnanswered = (error: unknown): string => ((error as NodeJS.ErrnoException).code === "ECONNREFUSED" ? "nothing listens there" : (error as Error).message);

/** Asks this machine's running server, as its administrator, for one of its own paths. Throws a `UsageError` that says why it couldn't, or wouldn't. */
export async function adminRequest({ dataDir, kubeconfig, method, path, body }: AdminRequest, { patienceMs = defaultPatienceMs } = {}): Promise<Response> {
  const file = kubeconfig ?? readIfExists(join(dataDir, "server/kubeconfig-path"))?.trim();
  if (!file) throw new ServerAway(`no server has run with ${dataDir}: start "skiff server" first, or name its directory with --data-dir`);
  const { server, ca, certificate, key, token } = readKubeconfig(file, "--kubeconfig");
  let response: Response;
  const over = new AbortController(), late = setTimeout(() => over.abort(), patienceMs);
  try {
    response = await fetch(new URL(path, server), {
      method, signal: over.signal, ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) },
      tls: { ...(ca ? { ca } : {}), ...(certificate && key ? { cert: certificate, key } : {}) },
    });
  } catch (error) {
    if (over.signal.aborted) throw new UsageError(`the server at ${server} has not answered for ${patienceMs / 1000} seconds: its log may tell what holds it up`, { cause: error });
    throw new ServerAway(`the server does not answer at ${server} (${whyUnanswered(error)}): it has to run for this`, { cause: error });
  } finally {
    clearTimeout(late);
  }
  if (response.ok) return response;
  const status: unknown = await response.json().catch(() => undefined);
  throw new UsageError(isObject(status) && typeof status["message"] === "string" ? status["message"] : `${server} answers ${response.status}`);
}
