import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeAtomically, type ProjectedFile } from "./atomic-writer.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "skiff-atomic-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const files = (entries: Record<string, string>, more: Partial<ProjectedFile> = {}) => new Map(Object.entries(entries).map(([path, text]) => [path, { data: Buffer.from(text), mode: 0o644, ...more }]));
const write = (entries: Record<string, string>, options: { gid?: number } = {}) => writeAtomically(directory, files(entries), { now: Date.UTC(2026, 0, 2, 3, 4, 5), ...options });
const visible = () => readdirSync(directory).filter((name) => !name.startsWith("..")).sort();

test("files are reached through ..data, which a change swaps as a whole", () => {
  expect(write({ a: "1", "deep/b": "2" })).toBe(true);
  expect(readlinkSync(join(directory, "a"))).toBe("..data/a");
  expect(readFileSync(join(directory, "deep/b"), "utf8")).toBe("2");
  const first = readlinkSync(join(directory, "..data"));
  expect(first).toStartWith("..2026_01_02_03_04_05.");

  expect(write({ a: "1", "deep/b": "3" })).toBe(true);
  expect(readFileSync(join(directory, "deep/b"), "utf8")).toBe("3");
  expect(existsSync(join(directory, first))).toBe(false);
});

test("nothing is written when nothing changed", () => {
  write({ a: "1" });
  const before = readlinkSync(join(directory, "..data"));
  expect(write({ a: "1" })).toBe(false);
  expect(readlinkSync(join(directory, "..data"))).toBe(before);
});

test("what is gone disappears, what is new appears", () => {
  write({ a: "1", b: "2" });
  write({ b: "2", c: "3" });
  expect(visible()).toEqual(["b", "c"]);
  write({});
  expect(visible()).toEqual([]);
});

test("modes and owners", () => {
  writeAtomically(directory, files({ key: "k" }, { mode: 0o400, uid: 1000 }), { now: 0 });
  expect([statSync(join(directory, "key")).mode & 0o777, statSync(join(directory, "key")).uid]).toEqual([0o400, 1000]);
  writeAtomically(directory, files({ other: "k" }, { mode: 0o600 }), { now: 0, gid: 2000 });
  expect([statSync(join(directory, "other")).mode & 0o777, statSync(join(directory, "other")).gid]).toEqual([0o640, 2000]);
});

test.each(["/etc/passwd", "../up", "a/../../up", "..data", ""])("no path leaves the volume: %p", (path) => {
  expect(() => write({ [path]: "x" })).toThrow("invalid path");
});
