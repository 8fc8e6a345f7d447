import { readFileSync } from "node:fs";
import { parseJoinToken, type JoinToken } from "../base/join/join-token.ts";
import { nodeSettings, type NodeOptions, parseNodeOptions } from "../server/node-options.ts";
import type { Setting, SettingValues } from "../server/options.ts";
import { UsageError } from "../server/settings.ts";

export const agentSettings = [
  { name: "server", type: "list", defaultText: "SKIFF_URL", placeholder: "url", group: "Cluster", description: "The cluster to join: https://HOST:6443; several servers are asked in turn" },
  { name: "token", type: "string", placeholder: "token", group: "Cluster", description: "The token that joins, as \"skiff token\" prints it on a server; needed at the first start only" },
  { name: "token-file", type: "string", placeholder: "file", group: "Cluster", description: "Read the token from this file" },
  ...nodeSettings,
  { name: "with-node-id", type: "boolean", default: false, group: "Node", description: "Add a random suffix to the node's name, made once: for devices that all have one host name" },
] as const satisfies readonly Setting[];

export interface AgentProcessOptions extends NodeOptions {
  servers: string[];
  token?: JoinToken;
  withNodeId: boolean;
}

/** Checks the settings of `skiff agent`. Throws `UsageError` for the first mistake. */
export function parseAgentOptions(values: SettingValues, { environment }: { environment: Record<string, string | undefined> }): AgentProcessOptions {
  const given = (values["server"] as string[] | undefined) ?? [];
  const servers = (given.length > 0 ? given : (environment["SKIFF_URL"] ?? "").split(",")).map((url) => url.trim()).filter(Boolean).map(serverUrl);
  if (servers.length === 0) throw new UsageError("say which cluster to join: --server https://HOST:6443, or SKIFF_URL");
  const token = tokenOf(values);
  return { ...parseNodeOptions(values), servers: [...new Set(servers)], ...(token ? { token } : {}), withNodeId: values["with-node-id"] === true };
}

function serverUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "https:" || url.pathname !== "/" || url.search || url.username) throw new UsageError(`--server must look like https://HOST:6443, not ${JSON.stringify(text)}`);
  return url.origin;
}

function tokenOf(values: SettingValues): JoinToken | undefined {
  const file = values["token-file"];
  if (values["token"] && file) throw new UsageError("--token and --token-file are both given: leave one out");
  const text = file ? readTokenFile(String(file)) : String(values["token"] ?? "").trim();
  if (!text) return undefined;
  const token = parseJoinToken(text);
  if (!token) throw new UsageError(`the token must be K10<64 hex digits>::<user>:<secret>, whole, as "skiff token" prints it`);
  return token;
}

function readTokenFile(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new UsageError(`--token-file ${file} can't be read: ${(error as Error).message}`, { cause: error });
  }
}
