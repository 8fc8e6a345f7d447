import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { writeFileAtomic } from "../../base/files.ts";

/** What a directory of damaged files says of how that was mended. */
export interface RecoveryNote {
  damage: string;
  /** When it was mended, and of when the state is since: milliseconds since the epoch, by a clock that may have been wrong. */
  recovered: number;
  snapshot: { revision: number; at: number };
  /** Where numbering went on. */
  goesOnFrom: number;
}

const prefix = "damaged-", noteName = "recovery.json";
/** Directories that stay: what damages a database does so again, and each is as large as it. */
const keep = 2;

const directories = (databaseFile: string): string[] => (existsSync(dirname(databaseFile)) ? readdirSync(dirname(databaseFile)) : [])
  .filter((name) => name.startsWith(prefix)).toSorted().toReversed().map((name) => join(dirname(databaseFile), name));

/** Of the recoveries whose directories are still there, the newest first. */
export const recoveriesOf = (databaseFile: string): { directory: string; note: RecoveryNote }[] => directories(databaseFile).flatMap((directory) => {
  const note = readNote(directory);
  return note ? [{ directory, note }] : [];
});

/**
 * Moves the database and what belongs to it into a directory beside it. The file itself goes first: without it, what a crash leaves is no database.
 * Where nothing is left to move, that is the one of a recovery from the same snapshot, which didn't get further, or had no time for another.
 */
export function moveAside(databaseFile: string, { now, snapshot }: { now: number; snapshot: number }): { directory: string; files: boolean } {
  const at = dirname(databaseFile), name = basename(databaseFile), there = existsSync(at) ? readdirSync(at) : [];
  const files = there.filter((file) => [name, `${name}-wal`, `${name}-shm`, `${name}-journal`].includes(file));
  const [newest] = directories(databaseFile);
  if (files.length === 0 && newest && (readNote(newest)?.snapshot.revision ?? snapshot) === snapshot) return { directory: newest, files: readdirSync(newest).some((file) => file !== noteName) };
  const aside = join(at, `${prefix}${new Date(now).toISOString().replaceAll(":", "-").replace(/\.\d+/, "")}`);
  let directory = aside;
  for (let n = 2; existsSync(directory); n++) directory = `${aside}-${n}`;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const file of files.toSorted((a, b) => a.length - b.length)) renameSync(join(at, file), join(directory, file));
  return { directory, files: files.length > 0 };
}

export const writeNote = (directory: string, note: RecoveryNote): void => writeFileAtomic(join(directory, noteName), `${JSON.stringify(note, null, 2)}\n`);

function readNote(directory: string): RecoveryNote | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, noteName), "utf8")) as RecoveryNote;
  } catch {
    return undefined;
  }
}

/** Deletes all but the newest two, of which `made` is one whatever the clock said, and returns what it has deleted. */
export function pruneSetAside(databaseFile: string, made: string): string[] {
  const surplus = directories(databaseFile).filter((directory) => directory !== made).slice(keep - 1);
  for (const directory of surplus) rmSync(directory, { recursive: true });
  return surplus;
}
