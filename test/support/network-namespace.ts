import { dlopen, FFIType } from "bun:ffi";
import { closeSync, openSync } from "node:fs";

const cloneNewnet = 0x40000000;

/**
 * Moves this thread, and what it spawns, into a fresh network namespace with loopback up; the returned function moves it back.
 * The namespace goes when nothing uses it any more.
 */
export function enterNetworkNamespace(): () => void {
  const libc = dlopen("libc.so.6", { unshare: { args: [FFIType.i32], returns: FFIType.i32 }, setns: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 } });
  const home = openSync("/proc/self/ns/net", "r");
  if (libc.symbols.unshare(cloneNewnet) !== 0) throw new Error("a network namespace could not be made: tests run as root");
  Bun.spawnSync(["ip", "link", "set", "lo", "up"]);
  return () => {
    const failed = libc.symbols.setns(home, cloneNewnet) !== 0;
    closeSync(home);
    if (failed) throw new Error("could not return to the first network namespace");
  };
}
