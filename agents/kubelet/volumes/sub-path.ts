import { chmodSync, closeSync, constants, existsSync, fstatSync, mkdirSync, openSync, realpathSync, rmSync, statSync, writeFileSync, type Stats } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { bindMount, isMountPoint, unmount } from "./mount.ts";

/** open(2): a handle on the place itself. Not in node's constants. */
export const pathOnly = 0o10000000;

/**
 * Bind-mounts `subPath` of a volume onto `target`, safely: a container that swaps a directory for a symlink meanwhile cannot make us mount
 * something outside the volume, for each element is opened below the one before, following no link, and the mount goes through that handle.
 * A missing subPath becomes a directory. What is mounted already, for a container that ran before, stays if it is the same still. Source: k8s.io/kubernetes/pkg/volume/util/subpath.
 */
export function prepareSubPath(volumePath: string, subPath: string, target: string): string {
  const root = realpathSync(volumePath);
  const wanted = join(root, subPath);
  if (!within(root, wanted)) throw new Error(`subPath ${JSON.stringify(subPath)} not within volume path ${volumePath}`);
  if (!existsSync(wanted)) makeDirectories(root, wanted);

  const handle = openSubPath(volumePath, subPath);
  try {
    if (isMountPoint(target)) {
      if (isSame(fstatSync(handle), statSync(target))) return target;
      unmount(target);
      rmSync(target, { recursive: true });
    }
    mkdirSync(dirname(target), { recursive: true });
    if (fstatSync(handle).isDirectory()) mkdirSync(target, { recursive: true });
    else writeFileSync(target, "", { flag: "a" });
    bindMount(`/proc/self/fd/${handle}`, target);
  } finally {
    closeSync(handle);
  }
  return target;
}

/**
 * A handle on what is at `subPath` of a volume, for the caller to close: for fstat and /proc/self/fd, not for reading. Links are followed within the
 * volume only, also while a container changes them. Throws ENOENT where nothing is.
 */
export function openSubPath(volumePath: string, subPath: string): number {
  const root = realpathSync(volumePath), real = realpathSync(join(root, subPath));
  if (!within(root, real)) throw new Error(`subPath ${JSON.stringify(subPath)} not within volume path ${volumePath}`);
  return openBelow(root, relative(root, real));
}

const isSame = (a: Stats, b: Stats): boolean => a.dev === b.dev && a.ino === b.ino;

/** Opens `path` below `root` element by element; the caller closes the handle. */
function openBelow(root: string, path: string): number {
  let handle = openSync(root, pathOnly | constants.O_NOFOLLOW);
  for (const element of path.split(sep).filter(Boolean)) {
    let next: number;
    try {
      next = openSync(`/proc/self/fd/${handle}/${element}`, pathOnly | constants.O_NOFOLLOW);
    } finally {
      closeSync(handle);
    }
    handle = next;
    if (fstatSync(handle).isSymbolicLink()) {
      closeSync(handle);
      throw new Error(`subPath element ${JSON.stringify(element)} became a symbolic link`);
    }
  }
  return handle;
}

/** Makes what is missing of `wanted`, with the volume's own mode, each directory below the handle of the one before. */
function makeDirectories(root: string, wanted: string): void {
  let existing = dirname(wanted);
  while (!existsSync(existing)) existing = dirname(existing);
  const real = realpathSync(existing);
  if (!within(root, real)) throw new Error(`subPath ${JSON.stringify(relative(root, wanted))} not within volume path ${root}`);
  const mode = statSync(root).mode & 0o7777;
  let handle = openBelow(root, relative(root, real));
  try {
    for (const element of relative(existing, wanted).split(sep)) {
      const made = `/proc/self/fd/${handle}/${element}`;
      makeDirectory(made, element);
      const next = openSync(made, pathOnly | constants.O_NOFOLLOW);
      closeSync(handle);
      handle = next;
      // Not subject to the umask, as the mode of mkdir would be.
      if (fstatSync(handle).isDirectory()) chmodSync(`/proc/self/fd/${handle}`, mode);
    }
  } finally {
    closeSync(handle);
  }
}

/** A link that leads nowhere yet is no place to make one at. */
function makeDirectory(path: string, name: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw new Error(`subPath element ${JSON.stringify(name)} is a link that leads nowhere`, { cause: error });
    throw error;
  }
}

const within = (root: string, path: string): boolean => path === root || path.startsWith(root + sep);
