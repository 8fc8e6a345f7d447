import { chmodSync, chownSync, closeSync, constants, fstatSync, lchownSync, lstatSync, openSync, readdirSync } from "node:fs";
import { pathOnly } from "./sub-path.ts";

/**
 * Gives a volume to the pod's fsGroup: group ownership, group read and write, set-group-id on directories so that new files follow.
 * With `onRootMismatch` a volume whose root is right already is left alone. Other pods may have the volume at the same time: each entry is
 * changed through a handle opened below the one before, so that swapping one for a link leads nowhere.
 * Others have their turn while a large one is gone through. Source: k8s.io/kubernetes/pkg/volume/volume_linux.go.
 */
export async function applyFsGroup(directory: string, gid: number, onRootMismatch: boolean): Promise<void> {
  const root = lstatSync(directory);
  if (onRootMismatch && root.gid === gid && (root.mode & 0o2770) === 0o2770) return;
  await visit(directory, { gid, seen: 0 });
}

interface Walk {
  readonly gid: number;
  seen: number;
}

/** Entries that are changed in one go. */
const atOnce = 500;

async function visit(path: string, walk: Walk): Promise<void> {
  const { gid } = walk;
  if (++walk.seen % atOnce === 0) await new Promise<void>((resolve) => setImmediate(resolve));
  const handle = openSync(path, pathOnly | constants.O_NOFOLLOW);
  try {
    const stat = fstatSync(handle);
    if (stat.isSymbolicLink()) return lchownSync(path, stat.uid, gid);
    const entry = `/proc/self/fd/${handle}`;
    chownSync(entry, stat.uid, gid);
    chmodSync(entry, (stat.mode & 0o7777) | (stat.isDirectory() ? 0o2770 : 0o660));
    if (stat.isDirectory()) for (const name of readdirSync(entry)) await tryVisit(`${entry}/${name}`, walk);
  } finally {
    closeSync(handle);
  }
}

/** What another pod deletes meanwhile needs no owner. */
async function tryVisit(path: string, walk: Walk): Promise<void> {
  try {
    await visit(path, walk);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
