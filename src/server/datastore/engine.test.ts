import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { openEngine } from "./engine.ts";
import { setDatabaseAside } from "./migrate.ts";

let directory: string, databaseFile: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "skiff-engine-"));
  databaseFile = join(directory, "db/state.db");
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = () => openEngine({ options: { maxBytes: 2 ** 30, eventTtlMs: 1000, encryption: { enable: false, resources: [] } }, databaseFile, clock: systemClock, onFatal: (error) => { throw error; } });

test("a server whose cluster was moved to etcd doesn't begin an empty one for want of a flag", async () => {
  const { storage } = await open();
  await storage.create("/registry/core/configmaps/default/a", new TextEncoder().encode("a"));
  await storage.close();
  const aside = setDatabaseAside(databaseFile, 0);
  await expect(open()).rejects.toThrow(`to begin an empty one instead, move ${aside} away first`);
  expect(existsSync(databaseFile)).toBe(false);

  renameSync(aside, join(directory, "elsewhere"));
  const empty = await open();
  expect((await empty.storage.list("/registry/")).items).toEqual([]);
  await empty.storage.close();
});
