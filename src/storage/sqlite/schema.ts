/**
 * The tables. `log` has a row for each write that is remembered: what its key held from that revision on, packed as `packing.ts` says, or
 * NULL when the write deleted it, and the revision of the row it replaced (NULL for a creation). `current` names each key's newest row.
 * So the state at revision R is the rows that `current` names up to R, and those that rows after R replaced. A write appends to `log` and
 * touches a small row of `current`: few pages, and mostly the ones before it touched. Forgetting history up to C is deleting what rows up
 * to C replaced, and the deletions among them.
 */
export const tables = `
CREATE TABLE log (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, previous INTEGER, packing INTEGER NOT NULL, value BLOB);
CREATE TABLE current (key TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE volatile (prefix TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO meta VALUES ('revision', 0), ('reserved', 0), ('compacted', 0), ('forgotten', 0), ('clean', 1);
`;

/** A small write changes a few rows: the smaller the pages around them, the less there is to write, to the log and from there into the file. */
export const pageBytes = 1024;

/** A log of so many pages is taken into the file. More are less to write, as many are the same page again; fewer are less to read at the next start, and less room. */
export const checkpointPages = 2_000;
/** Those pages, each behind a header: what the log grows to, and beyond only while many write. */
export const logBytes = checkpointPages * (pageBytes + 24);

/** "Skif", in the file's header: tells our file from any other SQLite database. */
export const applicationId = 0x536b6966;
/** Raised when the tables change in a way an older Skiff cannot read. */
export const schemaVersion = 2;

/**
 * How far ahead of the newest revision the file promises not to reuse any. After a crash numbering goes on behind the promise,
 * so that a revision somebody has seen never names two states.
 */
export const revisionBlock = 10_000;

/**
 * How far numbering goes on behind the promise when the log was cut off or is gone, and newer promises with it: more than can be given
 * between two times that the log is brought into the file.
 */
export const lostLogGap = 100_000_000;

export const setMeta = "UPDATE meta SET value = ?2 WHERE name = ?1 AND value <> ?2";

/** What the main thread reads at the start. `revision` is the newest one in use or promised. */
export interface FileState {
  revision: number;
  compacted: number;
  /** Past states that the file has. */
  replaced: number;
  /** Prefixes of keys that are written volatilely. */
  volatile: string[];
  /** How many such keys the file has. */
  volatileKeys: number;
  /** False after a crash or a power cut. */
  clean: boolean;
  /** A database that was in use has a log; it is gone. */
  logLost: boolean;
}
