import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { logger } from "../../base/log.ts";
import type { AuditBackend } from "./auditor.ts";

const log = logger("audit");

export interface LogOptions {
  /** `-` is standard output. */
  path: string;
  /** A longer file is set aside. */
  maxSizeBytes: number;
  /** Files set aside that are kept, by number and by age; 0 is no limit. */
  maxBackups: number;
  maxAgeMs: number;
  now(): number;
}

/** One line of JSON an event, written before the request goes on: nothing is lost when the process dies. Throws when the file can't be opened. */
export function logBackend({ path, maxSizeBytes, maxBackups, maxAgeMs, now }: LogOptions): AuditBackend {
  if (path === "-") return { record: (event) => void process.stdout.write(`${JSON.stringify(event)}\n`), close: async () => undefined };
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let file = openSync(path, "a", 0o600);
  let size = fstatSync(file).size;
  let failing = false;

  function rotate(): void {
    closeSync(file);
    const extension = extname(path), name = basename(path, extension);
    renameSync(path, join(dirname(path), `${name}-${new Date(now()).toISOString().replaceAll(":", "-").replace("Z", "")}${extension}`));
    file = openSync(path, "a", 0o600);
    size = 0;
    removeOld(name, extension);
  }

  function removeOld(name: string, extension: string): void {
    const backups = readdirSync(dirname(path)).filter((each) => each.startsWith(`${name}-`) && each.endsWith(extension) && !Number.isNaN(timeOf(each, name, extension))).sort().reverse();
    backups.forEach((each, index) => {
      const expired = maxAgeMs > 0 && timeOf(each, name, extension) < now() - maxAgeMs;
      if (expired || (maxBackups > 0 && index >= maxBackups)) rmSync(join(dirname(path), each), { force: true });
    });
  }

  return {
    record(event) {
      const line = Buffer.from(`${JSON.stringify(event)}\n`);
      try {
        if (size > 0 && size + line.length > maxSizeBytes) rotate();
        for (let written = 0; written < line.length;) written += writeSync(file, line, written);
        size += line.length;
        failing = false;
      } catch (error) {
        // Told once: a full disk fails every request's event.
        if (!failing) log.error("the audit log can't be written", { path, error });
        failing = true;
      }
    },
    async close() {
      closeSync(file);
    },
  };
}

/** When a file was set aside, by its name; NaN for other files. */
function timeOf(file: string, name: string, extension: string): number {
  const match = /^(\d{4}-\d\d-\d\dT\d\d)-(\d\d)-(\d\d\.\d{3})$/.exec(file.slice(name.length + 1, file.length - extension.length));
  return match ? Date.parse(`${match[1]}:${match[2]}:${match[3]}Z`) : NaN;
}
