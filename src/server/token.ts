import { join } from "node:path";
import { readIfExists, writeFileAtomic } from "../base/files.ts";
import { bootstrapTokenParts, parseJoinToken } from "../base/join/join-token.ts";
import { logger } from "../base/log.ts";
import { caHash } from "./pki/cluster-pki.ts";
import { UsageError } from "./settings.ts";

const log = logger("server");

export const tokenFile = (dataDir: string): string => join(dataDir, "server/token");
const agentTokenFile = (dataDir: string): string => join(dataDir, "server/agent-token");

/**
 * The join token, `K10<SHA-256 of the server CA>::server:<secret>`: whoever holds it can check that it talks to this cluster before it shows
 * the secret. Made at first start; kept in `<data-dir>/server/token`. A `--token` given later must be the same secret, unless the token is
 * `shared` with other servers, where it may have been changed since: then it is of no use any more, and no reason to stay away.
 */
export function ensureToken({ dataDir, serverCa, given, shared = false }: { dataDir: string; serverCa: string; given?: string; shared?: boolean }): string {
  const file = tokenFile(dataDir);
  const existing = readIfExists(file)?.trim();
  const secret = given === undefined ? undefined : checkedSecret(given, "--token");
  if (existing && secret !== undefined && secretOf(existing) !== secret) {
    if (!shared) throw new UsageError(`--token is not the token of this cluster (${file}), which "skiff token rotate" may have changed: leave the flag out, or give it that one`);
    log.warn("--token is not the cluster's token any more, and counts for nothing: leave it out of the settings", { token: file });
  }
  if (existing) return existing;
  return writeToken(file, tokenOf({ serverCa, user: "server", secret: secret ?? randomSecret() }));
}

/** `--agent-token`, a secret that joins agents and no servers; kept beside the join token, and gone when the flag is. */
export function keepAgentToken({ dataDir, serverCa, given }: { dataDir: string; serverCa: string; given?: string }): void {
  const file = agentTokenFile(dataDir);
  const wanted = given === undefined ? "" : tokenOf({ serverCa, user: "node", secret: checkedSecret(given, "--agent-token") });
  if (wanted !== (readIfExists(file)?.trim() ?? "")) writeToken(file, wanted);
}

/** Gives the cluster another join secret. Machines that have joined stay; returns the whole token. */
export function rotateToken({ dataDir, given }: { dataDir: string; given?: string }): string {
  const file = tokenFile(dataDir);
  const hash = parseJoinToken(readIfExists(file) ?? "")?.caHash;
  if (!hash) throw new UsageError(`there is no token at ${file}: start "skiff server" first, or name its directory with --data-dir`);
  return writeToken(file, `K10${hash}::server:${given === undefined ? randomSecret() : checkedSecret(given, "--new-token")}`);
}

/** The secrets that join an agent now: read anew each time, since `skiff token rotate` writes the file. */
export const joinSecrets = (dataDir: string): string[] => [tokenFile(dataDir), agentTokenFile(dataDir)].flatMap((file) => readIfExists(file)?.trim() || []).map(secretOf);

/** The secret of a full token, or the text itself. */
const secretOf = (token: string): string => parseJoinToken(token)?.secret ?? token;

function checkedSecret(given: string, flag: string): string {
  const secret = secretOf(given);
  if (!/^[\x21-\x39\x3b-\x7e]{8,}$/.test(secret)) throw new UsageError(`${flag} must be at least 8 visible ASCII characters, without a colon`);
  if (bootstrapTokenParts(secret)) throw new UsageError(`${flag} must not look like a bootstrap token (six characters, a dot, sixteen characters): choose another secret`);
  return secret;
}

const tokenOf = ({ serverCa, user, secret }: { serverCa: string; user: string; secret: string }): string => `K10${caHash(serverCa)}::${user}:${secret}`;

function writeToken(file: string, token: string): string {
  writeFileAtomic(file, token && `${token}\n`);
  return token;
}

const randomSecret = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex");
