import { FFIType, read, type Pointer } from "bun:ffi";
import { closeSync, openSync } from "node:fs";
import { openLibc } from "./libc.ts";

const symbols = { flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 }, __errno_location: { args: [], returns: FFIType.ptr } } as const;
const flags = { shared: 1, exclusive: 2, nonblocking: 4 };
const wouldBlock = 11;
let libc: ReturnType<typeof openLibc<typeof symbols>> | undefined;

/**
 * Locks a file or directory that is there, which leaves no trace in it: flock(2). Released by `release`, or with the process. Undefined when another
 * has it: any lock keeps an exclusive one out. Where the file system knows no such locks, nobody is kept out.
 */
export function lock(path: string, kind: "shared" | "exclusive"): { release(): void } | undefined {
  libc ??= openLibc(symbols);
  const file = openSync(path, "r");
  if (libc.flock(file, flags[kind] | flags.nonblocking) !== 0 && read.i32(libc.__errno_location() as Pointer, 0) === wouldBlock) {
    closeSync(file);
    return undefined;
  }
  return { release: () => closeSync(file) };
}
