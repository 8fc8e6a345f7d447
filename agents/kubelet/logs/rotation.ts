import { existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

export interface RotationLimits {
  maxBytes: number;
  /** How many files of one container there may be, the current one included. */
  maxFiles: number;
}

export const defaultRotation: RotationLimits = { maxBytes: 10 * 1024 * 1024, maxFiles: 5 };

export interface Looked {
  size: number;
  rotated: boolean;
}

/** Says when to look at the logs again: often while one of them grows so fast that it would be far too large by the next regular look. */
export class RotationPace {
  #at: number;
  #sizes = new Map<string, number>();
  constructor(private readonly limits: RotationLimits, private readonly pace: { regularMs: number; leastMs: number }, now: number) {
    this.#at = now;
  }

  /** What was found of each log, by its path, on the monotonic clock. Returns milliseconds. */
  next(logs: ReadonlyMap<string, Looked>, now: number): number {
    const elapsed = Math.max(1, now - this.#at);
    let wait = this.pace.regularMs;
    for (const [path, { size, rotated }] of logs) {
      const grown = size - (this.#sizes.get(path) ?? 0), left = rotated ? this.limits.maxBytes : this.limits.maxBytes - size;
      if (grown > 0) wait = Math.min(wait, (left * elapsed) / grown);
    }
    this.#at = now;
    this.#sizes = new Map([...logs].map(([path, { size, rotated }]) => [path, rotated ? 0 : size]));
    return Math.max(this.pace.leastMs, Math.floor(wait));
  }
}

/**
 * Moves a log that has grown too large aside, as `<n>.log.<time>`, has the runtime open a new one, and deletes the oldest. Returns whether it did, and how large
 * it was. Source: k8s.io/kubernetes/pkg/kubelet/logs/container_log_manager.go (without compression, which would cost CPU and buy little on flash).
 */
export async function rotateLog(path: string, limits: RotationLimits, now: number, reopen: () => Promise<void>): Promise<Looked> {
  const { size = 0 } = statSync(path, { throwIfNoEntry: false }) ?? {};
  if (size < limits.maxBytes) return { size, rotated: false };
  const rotatedPath = `${path}.${new Date(now).toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-")}`;
  if (existsSync(rotatedPath)) return { size, rotated: false };
  renameSync(path, rotatedPath);
  try {
    await reopen();
  } catch (error) {
    // The runtime still writes to the old file: give it its name back.
    renameSync(rotatedPath, path);
    throw error;
  }
  const old = readdirSync(dirname(path)).filter((name) => name.startsWith(`${basename(path)}.`)).sort();
  for (const name of old.slice(0, Math.max(0, old.length - (limits.maxFiles - 1)))) rmSync(join(dirname(path), name), { force: true });
  return { size, rotated: true };
}
