import { X509Certificate } from "node:crypto";
import { readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { readIfExists, writeFileAtomic } from "../../base/files.ts";
import { UsageError } from "../settings.ts";

const variable = "NODE_EXTRA_CA_CERTS";
/** What this process was started anew for. */
const marker = "SKIFF_TRUSTED_CA";

/**
 * Makes this process trust a CA besides those that everybody trusts. Bun's S3 client takes none, only what the process was started with: so it
 * is started anew in its own place, with the same process id. To be called before anything has been begun. Throws a `UsageError`.
 */
export function trustEndpointCa(file: string | undefined, { runDir }: { runDir: string }): void {
  if (file === undefined || process.env[marker] === file) return;
  const own = certificateIn(file), others = process.env[variable];
  let trusted = file;
  if (others && others !== file) place(trusted = join(runDir, "trusted-ca.pem"), `${readFileSync(others, "utf8")}\n${own}`);
  const argv = Bun.main.startsWith("/$bunfs/") ? process.argv.slice(2) : [...process.execArgv, ...process.argv.slice(1)];
  process.execve!(process.execPath, [process.argv0, ...argv], { ...process.env as Record<string, string>, [variable]: trusted, [marker]: file });
}

/** Several processes may be at it. */
function place(file: string, text: string): void {
  if (readIfExists(file) === text) return;
  const mine = `${file}.${process.pid}`;
  writeFileAtomic(mine, text, 0o644);
  renameSync(mine, file);
}

function certificateIn(file: string): string {
  try {
    const text = readFileSync(file, "utf8");
    void new X509Certificate(text).subject;
    return text;
  } catch (error) {
    throw new UsageError(`--backup-s3-endpoint-ca ${file} can't be used (${(error as Error).message}): it must be a certificate in PEM form`, { cause: error });
  }
}
