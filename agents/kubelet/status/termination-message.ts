import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { parseLogLine } from "../logs/cri-log.ts";
import { tailOffset } from "../logs/tail.ts";
import type { RuntimeContainer } from "../runtime/runtime-status.ts";

const messageLimit = 4096;
const logLinesLimit = 80;
const logBytesLimit = 2048;

/** What an ended container left in its termination log; failing that, and when its policy says so, the end of its output. Source: kubelet's getTerminationMessage. */
export function terminationMessage(container: RuntimeContainer): string {
  const written = container.terminationLog ? head(container.terminationLog, messageLimit) : "";
  const message = written || (container.terminationMessagePolicy === "FallbackToLogsOnError" && container.exitCode !== 0 ? lastOutput(container.logPath) : "");
  // The runtime's own words (a command that could not be executed) come first.
  return container.message && message ? `${container.message}: ${message}` : container.message || message;
}

function head(path: string, limit: number): string {
  try {
    const file = openSync(path, "r");
    try {
      const buffer = Buffer.alloc(limit);
      return buffer.subarray(0, readSync(file, buffer, 0, limit, 0)).toString();
    } finally {
      closeSync(file);
    }
  } catch {
    return "";
  }
}

function lastOutput(logPath: string): string {
  try {
    const lines = readFileSync(logPath).subarray(tailOffset(logPath, logLinesLimit)).toString().split("\n");
    const text = lines.map((line) => parseLogLine(line)).filter((line) => line !== undefined).map((line) => line.text + (line.partial ? "" : "\n")).join("");
    return Buffer.from(text).subarray(-logBytesLimit).toString();
  } catch {
    return "";
  }
}
