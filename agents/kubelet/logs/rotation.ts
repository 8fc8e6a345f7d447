import { existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

export interface RotationLimits {
  maxBytes: number;
  /** How many files of one container there may be, the current one included. */
  maxFiles: number;
}

export const defaultRotation: RotationLimits = { maxBytes: 10 * 1024 * 1024, maxFiles: 5 };

/**
 * Moves a log that has grown too large aside, as `<n>.log.<time>`, has the runtime open a new one, and deletes the oldest. Returns whether it did.
 * Source: k8s.io/kubernetes/pkg/kubelet/logs/container_log_manager.go (without compression, which would cost CPU and buy little on flash).
 */
export async function rotateLog(path: string, limits: RotationLimits, now: number, reopen: () => Promise<void>): Promise<boolean> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat || stat.size < limits.maxBytes) return false;
  const rotatedPath = `${path}.${new Date(now).toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-")}`;
  if (existsSync(rotatedPath)) return false;
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
  return true;
}
