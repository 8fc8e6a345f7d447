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

/** Asks this machine's running server, as its administrator, for one of its own paths. Throws a `UsageError` that says why it couldn't, or wouldn't. */
export async function adminRequest({ dataDir, kubeconfig, method, path, body }: AdminRequest): Promise<Response> {
  const file = kubeconfig ?? readIfExists(join(dataDir, "server/kubeconfig-path"))?.trim();
  if (!file) throw new ServerAway(`no server has run with ${dataDir}: start "skiff server" first, or name its directory with --data-dir`);
  const { server, ca, certificate, key, token } = readKubeconfig(file, "--kubeconfig");
  let response: Response;
  try {
    response = await fetch(new URL(path, server), {
      method, ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) },
      tls: { ...(ca ? { ca } : {}), ...(certificate && key ? { cert: certificate, key } : {}) },
    });
  } catch (error) {
    throw new ServerAway(`the server does not answer at ${server} (${(error as Error).message}): it has to run for this`, { cause: error });
  }
  if (response.ok) return response;
  const status: unknown = await response.json().catch(() => undefined);
  throw new UsageError(isObject(status) && typeof status["message"] === "string" ? status["message"] : `${server} answers ${response.status}`);
}
