import { dlopen, FFIType } from "bun:ffi";
import { existsSync, readFileSync } from "node:fs";

export interface Mapping {
  /** Address of its first byte. */
  start: number;
  bytes: number;
}

const smaps = "/proc/self/smaps";
/** MADV_DONTNEED. */
const dontNeed = 4;
const symbols = { madvise: { args: [FFIType.u64, FFIType.u64, FFIType.i32], returns: FFIType.i32 } } as const;
let madvise: ReturnType<typeof openMadvise>;

/**
 * Takes out of this process what its start, or a burst of work, has mapped of executables: the kernel maps sixteen pages where one is touched,
 * and takes none back while memory is free. They stay in the page cache, first to go when something else needs memory; what runs again is mapped
 * again from there. And the OOM killer, which counts what is mapped, sees the process as small as it is. Does nothing where the kernel has no smaps.
 */
export function unmapCleanPages(): void {
  if (!existsSync(smaps)) return;
  const advise = madvise ??= openMadvise();
  if (advise) for (const { start, bytes } of cleanMappings(readFileSync(smaps, "utf8"))) advise(start, bytes, dontNeed);
}

/**
 * Of /proc/<pid>/smaps, the private mappings in which each page is as it is in the file: code and what lies before it, of which no page was
 * written or swapped out. What else can't be written may have been: the linker protects what it has written addresses into.
 */
export function cleanMappings(text: string): Mapping[] {
  const found: Mapping[] = [];
  for (const mapping of text.split(/^(?=[0-9a-f]+-)/m)) {
    const [, start, end] = /^([0-9a-f]+)-([0-9a-f]+) (?:r-xp [0-9a-f]+|r--p 0+) \S+ \d+ +\//.exec(mapping) ?? [];
    if (!start || !end || !/^Anonymous: +0 kB$/m.test(mapping) || !/^Swap: +0 kB$/m.test(mapping)) continue;
    found.push({ start: parseInt(start, 16), bytes: parseInt(end, 16) - parseInt(start, 16) });
  }
  return found;
}

function openMadvise() {
  for (const name of ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`]) {
    try {
      return dlopen(name, symbols).symbols.madvise;
    } catch {
      // The other C library then.
    }
  }
  return undefined;
}
