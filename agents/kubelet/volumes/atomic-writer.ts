import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** One file of a volume whose content comes from the API. */
export interface ProjectedFile {
  data: Uint8Array;
  mode: number;
  /** Who owns it; root unless set. */
  uid?: number;
}

/** Relative paths to files. */
export type Payload = ReadonlyMap<string, ProjectedFile>;

/**
 * Writes the files so that a reader sees either all of the old ones or all of the new: each version in a directory named by its time, `..data`
 * a symlink that is swapped by rename, and a symlink into `..data` for each first path element. Returns false when nothing had changed.
 * Source: k8s.io/kubernetes/pkg/volume/util/atomic_writer.go.
 */
export function writeAtomically(directory: string, payload: Payload, { gid, now }: { gid?: number; now: number }): boolean {
  for (const path of payload.keys()) assertSafe(path);
  const dataLink = join(directory, "..data");
  const previous = linkTarget(dataLink);
  if (previous !== undefined && sameFiles(join(directory, previous), payload)) return false;

  const version = mkdtempSync(join(directory, `..${timestamp(now)}.`));
  chmodSync(version, 0o755);
  for (const [path, { data, mode, uid }] of payload) {
    const file = join(version, path);
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    writeFileSync(file, data);
    chmodSync(file, gid === undefined ? mode : mode | 0o440);
    if (uid !== undefined || gid !== undefined) chownSync(file, uid ?? 0, gid ?? 0);
  }
  const temporary = join(directory, "..data_tmp");
  rmSync(temporary, { force: true });
  symlinkSync(version.slice(directory.length + 1), temporary);
  renameSync(temporary, dataLink);
  linkVisibleNames(directory, payload);
  if (previous !== undefined) rmSync(join(directory, previous), { recursive: true, force: true });
  return true;
}

function linkVisibleNames(directory: string, payload: Payload): void {
  const wanted = new Set([...payload.keys()].map((path) => path.split("/")[0]!));
  for (const name of wanted) if (linkTarget(join(directory, name)) === undefined) symlinkSync(join("..data", name), join(directory, name));
  for (const name of readdirSync(directory)) if (!name.startsWith("..") && !wanted.has(name)) unlinkSync(join(directory, name));
}

function sameFiles(version: string, payload: Payload): boolean {
  if (!existsSync(version)) return false;
  const present = readdirSync(version, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(version.length + 1));
  if (present.length !== payload.size) return false;
  return present.every((path) => {
    const wanted = payload.get(path);
    return wanted !== undefined && Buffer.compare(readFileSync(join(version, path)), wanted.data) === 0;
  });
}

function linkTarget(path: string): string | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat?.isSymbolicLink() ? readlinkSync(path) : undefined;
}

/** `..2026_11_21_02_30_00`, as Kubernetes names versions. */
const timestamp = (now: number): string => new Date(now).toISOString().slice(0, 19).replace(/[-T:]/g, "_");

function assertSafe(path: string): void {
  if (path === "" || path.startsWith("/") || path.split("/").includes("..") || path.startsWith("..")) throw new Error(`invalid path: must be relative and must not contain '..': ${JSON.stringify(path)}`);
}
