import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toStorageError } from "./errors.ts";
import { SqliteStorage } from "./sqlite-storage.ts";

const systemError = (code: string): Error => Object.assign(new Error(`${code}: what the system says, open '/db'`), { code });

test.each([
  ["EROFS", "/db can't be written, for its file system is read-only: that is what becomes of a card or disk that fails (\"dmesg\" tells); bring a backup back on another"],
  ["EISDIR", "/db is a directory and must be a file: move it away, or choose another data directory"],
  ["EPERM", "/db: EPERM: what the system says, open '/db'"],
])("%s is told as what to do, where that is known", (code, message) => expect(toStorageError("/db", systemError(code))).toMatchObject({ code: "io", message }));

test("a directory in the database's place is left as it is", async () => {
  const directory = mkdtempSync(join(tmpdir(), "skiff-errors-")), path = join(directory, "state.db");
  try {
    mkdirSync(join(path, "within"), { recursive: true });
    await expect(SqliteStorage.open({ path })).rejects.toThrow(`${path} is a directory and must be a file`);
    expect(readdirSync(path)).toEqual(["within"]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
