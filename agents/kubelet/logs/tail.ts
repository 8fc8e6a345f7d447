import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const block = 64 * 1024;
const newline = 10;

/** The offset at which the last `lines` lines of the file begin; reads blocks from the end, never the whole file. */
export function tailOffset(path: string, lines: number): number {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    if (lines <= 0) return size;
    const buffer = Buffer.alloc(block);
    let found = 0;
    for (let end = size; end > 0; ) {
      const begin = Math.max(0, end - block);
      const length = readSync(file, buffer, 0, end - begin, begin);
      for (let at = length - 1; at >= 0; at--) {
        // The file's own last newline ends a line rather than beginning one.
        if (buffer[at] !== newline || begin + at === size - 1) continue;
        if (++found === lines) return begin + at + 1;
      }
      end = begin;
    }
    return 0;
  } finally {
    closeSync(file);
  }
}
