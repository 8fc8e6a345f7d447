import { readFileSync, readlinkSync, statSync } from "node:fs";

/** The thread that asks, as /proc knows it: "<pid>/task/<tid>". Undefined where there is no /proc. */
export function ownThread(): string | undefined {
  try {
    return readlinkSync("/proc/thread-self");
  } catch {
    return undefined;
  }
}

/** What a thread of this process has written to files, in bytes. Undefined where the kernel doesn't count. Source: proc(5), "wchar". */
export function bytesWrittenBy(thread: string): number | undefined {
  try {
    const count = /^wchar: (\d+)$/m.exec(readFileSync(`/proc/${thread}/io`, "utf8"))?.[1];
    return count === undefined ? undefined : Number(count);
  } catch {
    return undefined;
  }
}

/** In bytes; of a file that isn't there, 0. */
export const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** In bytes: what the disk has given to it, which may be more. */
export const allocatedTo = (path: string): number => (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
