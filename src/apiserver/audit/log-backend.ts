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
  /** Default `blocking`. */
  mode?: LogMode;
  now(): number;
}

/**
 * `blocking`: an event is written before its request goes on, as far as it can be. `blocking-strict`: a request whose event can't be written
 * is refused. `batch`: written together, soon: a crash loses the last second's.
 */
export type LogMode = "batch" | "blocking" | "blocking-strict";

const batchWaitMs = 1_000, mostWaiting = 10_000;

/** One line of JSON an event. Throws when the file can't be opened. */
export function logBackend({ path, maxSizeBytes, maxBackups, maxAgeMs, mode = "blocking", now }: LogOptions): AuditBackend {
  if (path === "-") {
    return {
      record(event) {
        process.stdout.write(`${JSON.stringify(event)}\n`);
        return true;
      },
      close: async () => undefined,
    };
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let file = openSync(path, "a", 0o600);
  let size = fstatSync(file).size;
  let failing = false;

  function rotate(): void {
    const extension = extname(path), name = basename(path, extension);
    renameSync(path, join(dirname(path), `${name}-${new Date(now()).toISOString().replaceAll(":", "-").replace("Z", "")}${extension}`));
    const fresh = openSync(path, "a", 0o600);
    closeSync(file);
    file = fresh;
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

  function write(text: string): boolean {
    const lines = Buffer.from(text);
    try {
      if (size > 0 && size + lines.length > maxSizeBytes) rotate();
      for (let written = 0; written < lines.length;) written += writeSync(file, lines, written);
      size += lines.length;
      failing = false;
    } catch (error) {
      // Told once: a full disk fails every request's event.
      if (!failing) log.error("the audit log can't be written", { path, error });
      failing = true;
    }
    return !failing;
  }

  let waiting: string[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    if (waiting.length > 0) write(waiting.join(""));
    waiting = [];
  }

  return {
    record(event) {
      const line = `${JSON.stringify(event)}\n`;
      if (mode !== "batch") return write(line) || mode === "blocking";
      waiting.push(line);
      if (waiting.length >= mostWaiting) flush();
      else timer ??= setTimeout(flush, batchWaitMs);
      return true;
    },
    async close() {
      flush();
      closeSync(file);
    },
  };
}

/** When a file was set aside, by its name; NaN for other files. */
function timeOf(file: string, name: string, extension: string): number {
  const match = /^(\d{4}-\d\d-\d\dT\d\d)-(\d\d)-(\d\d\.\d{3})$/.exec(file.slice(name.length + 1, file.length - extension.length));
  return match ? Date.parse(`${match[1]}:${match[2]}:${match[3]}Z`) : NaN;
}
