import { dlopen, type FFIFunction } from "bun:ffi";

/** Functions of the C library that this machine has. Throws where it has none that can be opened. */
export function openLibc<const Symbols extends Record<string, FFIFunction>>(symbols: Symbols) {
  for (const name of ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`]) {
    try {
      return dlopen(name, symbols).symbols;
    } catch {
      // The other C library then.
    }
  }
  throw new Error("the C library can't be opened");
}
