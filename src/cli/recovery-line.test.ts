import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { moveAside, writeNote } from "../server/datastore/set-aside.ts";
import { recoveryLine } from "./recovery-line.ts";

const directory = mkdtempSync(join(tmpdir(), "skiff-recovery-line-")), databaseFile = join(directory, "state.db");
afterEach(() => rmSync(directory, { recursive: true }));

test("a recovery is told of until its files are deleted", () => {
  expect(recoveryLine(databaseFile)).toBeUndefined();
  const at = Date.UTC(2026, 10, 21, 3), recovered = at + 3_600_000;
  for (const now of [at, recovered]) {
    writeFileSync(databaseFile, "damaged");
    writeNote(moveAside(databaseFile, { now, snapshot: 7 }).directory, { damage: "it is damaged", recovered: now, snapshot: { revision: 7, at }, goesOnFrom: 1_000_000_007 });
  }
  const newest = join(directory, "damaged-2026-11-21T04-00-00Z");
  expect(recoveryLine(databaseFile)).toBe(`Recovery     the database was damaged, and has been replaced at 2026-11-21T04:00:00Z by its state of 2026-11-21T03:00:00Z (resourceVersion 7); this is told until ${newest} is deleted`);
  rmSync(newest, { recursive: true });
  expect(recoveryLine(databaseFile)).toContain("damaged-2026-11-21T03-00-00Z");
  rmSync(join(directory, "damaged-2026-11-21T03-00-00Z"), { recursive: true });
  expect(recoveryLine(databaseFile)).toBeUndefined();
});
