import { UsageError } from "../settings.ts";

/** A backup where it is kept. */
export interface StoredBackup {
  name: string;
  bytes: number;
  /** When it was taken: milliseconds since the epoch, by a clock that may have been wrong. */
  at: number;
}

/** There is a backup of that name. */
export class NameTakenError extends UsageError {
  constructor(location: string) {
    super(`${location} exists already: choose another name, or replace it with --force`);
  }
}

/** Where backups are kept: a directory, or a folder of a bucket. Errors are `UsageError`s that say what to do. */
export interface BackupStore {
  /** How a backup is called in messages, and on the command line. */
  locate(name: string): string;
  /**
   * Keeps all of `content` or, when that breaks, nothing; returns how many bytes. Throws when there is one of that name, unless it may be replaced.
   * What it doesn't read to its end it cancels: a backup takes memory, and follows the state, until one of the two.
   */
  put(name: string, content: ReadableStream<Uint8Array>, options?: { replace?: boolean }): Promise<number>;
  /** Those with names of ours, the newest first. */
  list(): Promise<StoredBackup[]>;
  open(name: string): ReadableStream<Uint8Array>;
  /** Throws when there is none of that name. */
  remove(name: string): Promise<void>;
}

export type BackupOccasion = "backup" | "scheduled";

/** Such as `skiff-scheduled-node-1-20261121T030000Z.tar.age`. */
export function backupName({ occasion, nodeName, at, encrypted }: { occasion: BackupOccasion; nodeName: string; at: number; encrypted: boolean }): string {
  const stamp = new Date(at).toISOString().replace(/\.\d+/, "").replace(/[-:]/g, "");
  return `${prefixOf(occasion, nodeName)}${stamp}.tar${encrypted ? ".age" : ""}`;
}

const prefixOf = (occasion: BackupOccasion, nodeName: string): string => `skiff-${occasion}-${nodeName}-`;
const pattern = /^skiff-(?:backup|scheduled)-.+-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.tar(?:\.age)?$/;

/** When a backup of that name was taken; undefined for a name that is none of ours. */
export function timeOfName(name: string): number | undefined {
  const [, year, month, day, hour, minute, second] = pattern.exec(name) ?? [];
  return year === undefined ? undefined : Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** Of names and sizes those of backups, the newest first. */
export const listed = (found: Iterable<{ name: string; bytes: number }>): StoredBackup[] => [...found].flatMap(({ name, bytes }) => {
  const at = timeOfName(name);
  return at === undefined ? [] : [{ name, bytes, at }];
}).toSorted((a, b) => b.at - a.at || (a.name < b.name ? 1 : -1));

const isOf = (name: string, occasion: BackupOccasion, nodeName: string): boolean => {
  const prefix = prefixOf(occasion, nodeName);
  // What follows is a time alone: another node's name may begin with this one's.
  return name.startsWith(prefix) && /^\d{8}T\d{6}Z\.tar(\.age)?$/.test(name.slice(prefix.length));
};

export const newestScheduled = (backups: readonly StoredBackup[], nodeName: string): StoredBackup | undefined => backups.find(({ name }) => isOf(name, "scheduled", nodeName));

/**
 * What goes when `keep` of one occasion and node are to stay. `made` was made just now and stays in any case: where the clock was wrong, it may
 * look like the oldest.
 */
export function planRetention(backups: readonly StoredBackup[], { occasion, nodeName, keep, made }: { occasion: BackupOccasion; nodeName: string; keep: number; made?: string }): StoredBackup[] {
  const others = backups.filter(({ name }) => name !== made && isOf(name, occasion, nodeName));
  return others.slice(made === undefined ? keep : keep - 1);
}
