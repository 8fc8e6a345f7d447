import { FFIType } from "bun:ffi";
import { openLibc } from "./libc.ts";

const symbols = { fallocate: { args: [FFIType.i32, FFIType.i32, FFIType.i64, FFIType.i64], returns: FFIType.i32 } } as const;
const keepSizeFlag = 1;
let libc: ReturnType<typeof openLibc<typeof symbols>> | undefined;

/**
 * Gives an open file room for its first `bytes`, of which nothing is written: fallocate(2). It is as long then, unless it keeps its size.
 * Throws where the file system can't do that, or has no room.
 */
export function fallocate(file: number, bytes: number, { keepSize = false }: { keepSize?: boolean } = {}): void {
  libc ??= openLibc(symbols);
  if (libc.fallocate(file, keepSize ? keepSizeFlag : 0, 0, bytes) !== 0) throw new Error("the file system can't set room aside, or has none");
}
