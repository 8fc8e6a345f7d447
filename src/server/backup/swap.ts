import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { sync } from "../../base/files.ts";

/**
 * Replaces a directory as a whole, so that a power cut at any point leaves the old one or the new one. The new one is made at `unfinished`;
 * `commit` is the moment from which it counts, and `finishSwap` does the rest, again after a power cut, before anybody uses the directory.
 * What was there lies beside, as `<directory>.replaced-1` and so on. It is never deleted: of several restores the first may be the one that
 * put the good cluster aside, and only who gave them knows.
 */
export const unfinished = (directory: string): string => `${directory}.restoring`;
const finished = (directory: string): string => `${directory}.restored`;

export function discardUnfinished(directory: string): void {
  rmSync(unfinished(directory), { recursive: true, force: true });
}

/** Everything in the new directory must have been synced. */
export function commit(directory: string): void {
  renameSync(unfinished(directory), finished(directory));
  sync(dirname(directory));
}

/** Puts a committed directory in its place. `carry` names what the old one has and the new one hasn't, and shall keep. Returns where the old one lies, if there was one. */
export function finishSwap(directory: string, carry: readonly string[]): { replaced?: string } | undefined {
  const fresh = finished(directory);
  if (!existsSync(fresh)) return undefined;
  const replaced = existsSync(directory) ? freeName(`${directory}.replaced`) : undefined;
  if (replaced) {
    for (const name of carry) if (existsSync(join(directory, name)) && !existsSync(join(fresh, name))) renameSync(join(directory, name), join(fresh, name));
    renameSync(directory, replaced);
  }
  renameSync(fresh, directory);
  sync(dirname(directory));
  return replaced ? { replaced } : {};
}

/** What restores before the one that left `replaced` have put aside, and nobody has deleted. */
export function replacedBefore(replaced: string): string[] {
  const others = new RegExp(`^${RegExp.escape(basename(replaced).replace(/\d+$/, ""))}\\d+$`);
  return readdirSync(dirname(replaced)).filter((name) => others.test(name) && name !== basename(replaced)).sort().map((name) => join(dirname(replaced), name));
}

function freeName(base: string): string {
  for (let number = 1; ; number++) if (!existsSync(`${base}-${number}`)) return `${base}-${number}`;
}

/** A directory and all below it: files in them have been synced as they were written. */
export function syncDirectories(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) if (entry.isDirectory()) syncDirectories(join(directory, entry.name));
  sync(directory);
}
