import { dlopen, FFIType } from "bun:ffi";

const symbols = { fallocate: { args: [FFIType.i32, FFIType.i32, FFIType.i64, FFIType.i64], returns: FFIType.i32 } } as const;
const keepSizeFlag = 1;
let call: ReturnType<typeof open> | undefined;

/**
 * Gives an open file room for its first `bytes`, of which nothing is written: fallocate(2). It is as long then, unless it keeps its size.
 * Throws where the file system can't do that, or has no room.
 */
export function fallocate(file: number, bytes: number, { keepSize = false }: { keepSize?: boolean } = {}): void {
  call ??= open();
  if (call(file, keepSize ? keepSizeFlag : 0, 0, bytes) !== 0) throw new Error("the file system can't set room aside, or has none");
}

function open() {
  for (const name of ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`]) {
    try {
      return dlopen(name, symbols).symbols.fallocate;
    } catch {
      // The other C library then.
    }
  }
  throw new Error("the C library can't be opened");
}
