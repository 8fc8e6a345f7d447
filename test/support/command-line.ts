import { readFileSync } from "node:fs";

/** The words that a process calls itself by; none of one that has ended, whether or not somebody has waited for it. */
export function commandLine(pid: number | string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").filter(Boolean);
  } catch {
    return [];
  }
}
