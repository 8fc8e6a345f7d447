import { readFileSync } from "node:fs";
import { X509Certificate } from "node:crypto";
import { UsageError } from "../settings.ts";

const variable = "NODE_EXTRA_CA_CERTS";

/**
 * Makes this process trust a CA besides those that everybody trusts. Bun's S3 client takes none, only what the process was started with: so it
 * is started anew in its own place, with the same process id. To be called before anything has been begun. Throws a `UsageError`.
 */
export function trustEndpointCa(file: string | undefined): void {
  if (file === undefined || process.env[variable] === file) return;
  const flag = `--backup-s3-endpoint-ca ${file}`;
  try {
    void new X509Certificate(readFileSync(file)).subject;
  } catch (error) {
    throw new UsageError(`${flag} can't be used (${(error as Error).message}): it must be a certificate in PEM form`, { cause: error });
  }
  if (process.env[variable]) throw new UsageError(`${flag} can't be used beside ${variable}: put all certificates into one file and name that`);
  const own = Bun.main.startsWith("/$bunfs/") ? process.argv.slice(2) : [...process.execArgv, ...process.argv.slice(1)];
  process.execve!(process.execPath, [process.argv0, ...own], { ...process.env as Record<string, string>, [variable]: file });
}
