import { chmodSync, lchownSync, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";

/**
 * Gives a volume to the pod's fsGroup: group ownership, group read and write, set-group-id on directories so that new files follow.
 * With `onRootMismatch` a volume whose root is right already is left alone. Source: k8s.io/kubernetes/pkg/volume/volume_linux.go.
 */
export function applyFsGroup(directory: string, gid: number, onRootMismatch: boolean): void {
  const root = lstatSync(directory);
  if (onRootMismatch && root.gid === gid && (root.mode & 0o2770) === 0o2770) return;
  const visit = (path: string): void => {
    const stat = lstatSync(path);
    lchownSync(path, stat.uid, gid);
    if (stat.isSymbolicLink()) return;
    chmodSync(path, (stat.mode & 0o7777) | (stat.isDirectory() ? 0o2770 : 0o660));
    if (stat.isDirectory()) for (const name of readdirSync(path)) visit(join(path, name));
  };
  visit(directory);
}
