import type { ReadStream } from "node:tty";
import { createApi, type Api } from "./api.ts";
import type { GlobalFlags } from "./command.ts";
import { Discovery } from "./discovery.ts";
import { connectionOf } from "./kubeconfig.ts";

/** Where a command reads and writes. */
export interface Terminal {
  readonly stdin: ReadStream;
  out(text: string | Uint8Array): void;
  err(text: string | Uint8Array): void;
}

/** The server, what it serves, and where output goes. */
export interface Session extends Terminal {
  api: Api;
  discovery: Discovery;
  /** The namespace that commands work in, and whether a flag said so. */
  namespace: string;
  namespaceGiven: boolean;
}

export async function openSession(flags: Partial<GlobalFlags>, terminal: Terminal): Promise<Session> {
  const connection = await connectionOf(flags);
  const api = createApi(connection, { warn: (text) => terminal.err(`Warning: ${text}\n`) });
  return { ...terminal, api, discovery: new Discovery(api), namespace: connection.namespace, namespaceGiven: connection.namespaceGiven };
}
