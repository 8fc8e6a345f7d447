import { join } from "node:path";
import { readIfExists, writeFileAtomic } from "../base/files.ts";
import { caHash } from "./pki/cluster-pki.ts";
import { UsageError } from "./settings.ts";

/**
 * The join token, `K10<SHA-256 of the server CA>::server:<secret>`: whoever holds it can check that it talks to this cluster before it shows
 * the secret. Made at first start; kept in `<data-dir>/server/token`. A `--token` given later must be the same secret.
 */
export function ensureToken({ dataDir, serverCa, given }: { dataDir: string; serverCa: string; given?: string }): string {
  const file = join(dataDir, "server/token");
  const existing = readIfExists(file)?.trim();
  const secret = given === undefined ? undefined : secretOf(given);
  if (secret !== undefined && !/^[\x21-\x7e]{8,}$/.test(secret)) throw new UsageError("--token must be at least 8 visible ASCII characters");
  if (existing && secret !== undefined && secretOf(existing) !== secret) throw new UsageError(`--token differs from the one this cluster was made with (${file}): leave the flag out`);
  if (existing) return existing;
  const token = `K10${caHash(serverCa)}::server:${secret ?? randomSecret()}`;
  writeFileAtomic(file, `${token}\n`);
  return token;
}

/** The secret of a full token, or the text itself. */
export const secretOf = (token: string): string => /^K10[0-9a-f]{64}::(?:[^:]+:)?(.*)$/.exec(token)?.[1] ?? token;

const randomSecret = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex");
