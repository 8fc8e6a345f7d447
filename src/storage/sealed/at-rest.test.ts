import { afterEach, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytes, text } from "../../../test/contract/storage.ts";
import { SqliteStorage } from "../sqlite/sqlite-storage.ts";
import { Keyring } from "./keyring.ts";
import { SealedStorage } from "./sealed-storage.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

test("encryption that begins late leaves nothing in plain in the database or beside it", async () => {
  const directory = mkdtempSync(join(tmpdir(), "skiff-at-rest-"));
  cleanUps.push(() => rmSync(directory, { recursive: true }));
  const storage = new SealedStorage(await SqliteStorage.open({ path: join(directory, "state.db") }), new Keyring({ enabled: false, keys: [{ name: "k", secret: randomBytes(32) }], prefixes: ["/registry/core/secrets/"] }));
  cleanUps.push(() => storage.close());
  const word = "correct-horse-battery-staple";
  const found = (): string[] => readdirSync(directory).filter((file) => readFileSync(join(directory, file)).includes(word));
  const key = (n: number): string => `/registry/core/secrets/default/s${n}`;
  const revisions: number[] = [];
  // Some fill pages of their own, some share them; some are gone by then.
  for (let n = 0; n < 300; n++) revisions.push(await storage.create(key(n), bytes(`${word} ${n} ${"x".repeat(n * 20)}`)));
  for (let n = 0; n < 300; n += 3) await storage.delete(key(n), revisions[n]!);
  expect(found()).not.toEqual([]);
  storage.keyring.state = { ...storage.keyring.state, enabled: true };
  expect(await storage.rewrite(new AbortController().signal)).toBe(200);
  await storage.purge();
  expect(found()).toEqual([]);
  expect((await storage.list("/registry/core/secrets/")).items.map(({ value }) => text(value)).every((value) => value.startsWith(word))).toBe(true);
  await storage.create(key(1000), bytes(word));
  expect(found()).toEqual([]);
});
