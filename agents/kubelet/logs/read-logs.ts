import { closeSync, fstatSync, openSync, readSync, statSync, watch } from "node:fs";
import { dirname } from "node:path";
import { parseLogLine } from "./cri-log.ts";
import type { LogOptions } from "./log-options.ts";
import { tailOffset } from "./tail.ts";

export interface LogSink {
  /** False when the reader is slow: then `drained` is awaited. */
  write(bytes: Buffer): boolean;
  drained(): Promise<void>;
}

const block = 64 * 1024, settleMs = 50;

/**
 * Writes the log to `sink`, as far as the options ask; with `follow` goes on until `finished` says that the container has ended and all has been
 * read, or `signal` aborts. Goes over to the new file when the log is rotated. `path` may not exist yet.
 */
export async function readLogs(path: string, options: LogOptions, sink: LogSink, { finished, signal }: { finished(): boolean | Promise<boolean>; signal: AbortSignal }): Promise<void> {
  const output = new LogOutput(options, sink);
  let file = open(path);
  let position = file !== undefined && options.tailLines !== undefined ? tailOffset(path, options.tailLines) : 0;
  const changes = options.follow ? watchFolder(path, signal) : undefined;
  try {
    while (!signal.aborted && !output.full) {
      // Asked before reading, so that what was written before the end is read after it.
      const last = changes === undefined || (await finished());
      // Without following there is an end, however fast the container writes.
      const end = changes === undefined && file !== undefined ? fstatSync(file).size : Infinity;
      if (file !== undefined) position = await drain(file, position, output, signal, end);
      if (output.full || changes === undefined) break;
      if (file === undefined || replaced(path, file)) {
        // The runtime wrote to the old file until it had the new one, and an unfinished line a moment later.
        if (file !== undefined) {
          await new Promise((resolve) => { setTimeout(resolve, settleMs); });
          await drain(file, position, output, signal);
          closeSync(file);
        }
        file = open(path);
        position = 0;
        output.restart();
        if (file !== undefined) continue;
      }
      if (last) break;
      await changes.next();
    }
  } finally {
    if (file !== undefined) closeSync(file);
    changes?.close();
  }
}

/** Reads all there is from `position`, to `end` at most; returns where it stopped. */
async function drain(file: number, position: number, output: LogOutput, signal: AbortSignal, end = Infinity): Promise<number> {
  const buffer = Buffer.allocUnsafe(block);
  for (let at = position; ; ) {
    const length = readSync(file, buffer, 0, Math.min(block, Math.max(0, end - at)), at);
    if (length === 0 || signal.aborted) return at;
    at += length;
    await output.take(Buffer.from(buffer.subarray(0, length)));
    if (output.full) return at;
  }
}

/** Turns the file's bytes into what the user asked for. */
class LogOutput {
  #rest: Buffer = Buffer.alloc(0);
  #bytesLeft: number;
  #wantsPrefix = true;
  constructor(private readonly options: LogOptions, private readonly sink: LogSink) {
    this.#bytesLeft = options.limitBytes ?? Infinity;
  }

  get full(): boolean {
    return this.#bytesLeft <= 0;
  }

  /** Another file begins: what was left of a line in the last is lost. */
  restart(): void {
    this.#rest = Buffer.alloc(0);
  }

  async take(bytes: Buffer): Promise<void> {
    const all = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : bytes;
    const end = all.lastIndexOf(10) + 1;
    this.#rest = all.subarray(end);
    // latin1 keeps bytes as they are, whatever the container wrote.
    const parts: string[] = [];
    for (const line of all.toString("latin1", 0, end).split("\n")) parts.push(this.#render(line));
    const chunk = Buffer.from(parts.join(""), "latin1").subarray(0, Math.min(Number.MAX_SAFE_INTEGER, this.#bytesLeft));
    if (chunk.length === 0) return;
    this.#bytesLeft -= chunk.length;
    if (!this.sink.write(chunk)) await this.sink.drained();
  }

  #render(line: string): string {
    const parsed = parseLogLine(line);
    if (!parsed || (this.options.stream && parsed.stream !== this.options.stream)) return "";
    if (this.options.since !== undefined && Date.parse(parsed.timestamp) < this.options.since) return "";
    const prefix = this.options.timestamps && this.#wantsPrefix ? `${parsed.timestamp} ` : "";
    this.#wantsPrefix = !parsed.partial;
    return prefix + parsed.text + (parsed.partial ? "" : "\n");
  }
}

function open(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The name now belongs to another file, and that one is in use. */
function replaced(path: string, file: number): boolean {
  const named = statSync(path, { throwIfNoEntry: false });
  return named !== undefined && named.size > 0 && named.ino !== fstatSync(file).ino;
}

/** How long to wait at most before looking again; an end of the container changes no file. */
const lookAgainMs = 1000;

function watchFolder(path: string, signal: AbortSignal): { next(): Promise<void>; close(): void } {
  let changed = false;
  let wake: (() => void) | undefined;
  const notice = (): void => {
    changed = true;
    wake?.();
  };
  const watcher = watch(dirname(path), notice);
  watcher.on("error", notice);
  signal.addEventListener("abort", notice, { once: true });
  return {
    async next() {
      if (!changed && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, lookAgainMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      wake = undefined;
      changed = false;
    },
    close() {
      signal.removeEventListener("abort", notice);
      watcher.close();
    },
  };
}
