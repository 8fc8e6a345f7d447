import { existsSync } from "node:fs";

const glibcLoaders: Record<string, string> = { x64: "/lib64/ld-linux-x86-64.so.2", arm64: "/lib/ld-linux-aarch64.so.1" };

/** The name of the executable for this machine. A system with both C libraries, such as Debian with the musl package, is a glibc system. */
export const hostTarget = `skiff-linux-${process.arch}${existsSync(glibcLoaders[process.arch] ?? "") ? "" : "-musl"}`;
