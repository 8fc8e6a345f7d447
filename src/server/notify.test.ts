import { expect, test } from "bun:test";
import { dlopen, FFIType } from "bun:ffi";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { notifyInit } from "./notify.ts";

const libc = dlopen("libc.so.6", {
  socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  bind: { args: [FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
  recv: { args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i64 },
  close: { args: [FFIType.i32], returns: FFIType.i32 },
}).symbols;
const dontWait = 0x40;

/** A datagram socket as systemd listens on; `receive` returns what has arrived, or "". */
function listenAt(path: string): { receive(): string; close(): void } {
  const address = Buffer.from(`\x01\0${path.replace(/^@/, "\0")}${path.startsWith("@") ? "" : "\0"}`, "latin1");
  const socket = libc.socket(1, 2, 0);
  expect(libc.bind(socket, address, address.length)).toBe(0);
  const buffer = Buffer.alloc(1024);
  return { receive: () => buffer.subarray(0, Math.max(0, Number(libc.recv(socket, buffer, buffer.length, dontWait)))).toString(), close: () => libc.close(socket) };
}

test("tells the init system, by a path or an abstract name", () => {
  const directory = mkdtempSync(join(tmpdir(), "skiff-notify-"));
  try {
    for (const path of [join(directory, "notify"), `@skiff-notify-${process.pid}`]) {
      const init = listenAt(path);
      expect(notifyInit("READY=1\nSTATUS=up", path)).toBe(true);
      expect(init.receive()).toBe("READY=1\nSTATUS=up");
      init.close();
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("says so when nobody listens", () => {
  expect(notifyInit("READY=1", undefined)).toBe(false);
  expect(notifyInit("READY=1", "/nowhere/notify")).toBe(false);
});
