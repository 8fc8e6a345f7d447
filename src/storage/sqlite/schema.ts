/**
 * The tables. `current` is the state; `history` is an undo log: each row says what its key held before that revision (nothing, when
 * previous_revision is NULL). So the state at revision R is every current row not newer than R, plus the previous state of every history
 * row with previous_revision <= R < revision; the value written at R is what the key's next history row undoes, or else the current one.
 * Forgetting the past is deleting a range of rowids, and a creation costs its value once.
 */
export const tables = `
CREATE TABLE current (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, value BLOB NOT NULL);
CREATE TABLE history (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, deleted INTEGER NOT NULL, previous_revision INTEGER, previous BLOB);
CREATE INDEX history_key ON history (key);
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE volatile (prefix TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO meta VALUES ('revision', 0), ('reserved', 0), ('compacted', 0), ('clean', 1);
`;

/** "Skif", in the file's header: tells our file from any other SQLite database. */
export const applicationId = 0x536b6966;
/** Raised when the tables change in a way an older Skiff cannot read. */
export const schemaVersion = 1;

/**
 * How far ahead of the newest revision the file promises not to reuse any. After a crash numbering goes on behind the promise,
 * so that a revision somebody has seen never names two states.
 */
export const revisionBlock = 10_000;

export const setMeta = "UPDATE meta SET value = ?2 WHERE name = ?1 AND value <> ?2";

/** What the main thread reads at the start. `revision` is the newest one in use or promised. */
export interface FileState {
  revision: number;
  compacted: number;
  /** Prefixes of keys that are written volatilely. */
  volatile: string[];
  /** False after a crash or a power cut. */
  clean: boolean;
}
