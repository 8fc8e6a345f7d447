import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyFsGroup } from "./ownership.ts";

const gid = 4321;
let root: string, volume: string, outside: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "skiff-fsgroup-"));
  [volume, outside] = [join(root, "volume"), join(root, "outside")];
  mkdirSync(join(volume, "deep"), { recursive: true });
  mkdirSync(outside, { mode: 0o700 });
  for (const [file, mode] of [[join(volume, "file"), 0o600], [join(volume, "deep/script"), 0o755], [join(outside, "secret"), 0o600]] as const) {
    writeFileSync(file, "x");
    chmodSync(file, mode);
  }
});
afterEach(() => rmSync(root, { recursive: true }));

const seen = (path: string): [number, number] => {
  const { gid: group, mode } = lstatSync(path);
  return [group, mode & 0o7777];
};

test("all of a volume is its group's to read and write, new files follow, and modes keep the rest", async () => {
  await applyFsGroup(volume, gid, false);
  expect([volume, join(volume, "file"), join(volume, "deep"), join(volume, "deep/script")].map(seen)).toEqual([[gid, 0o2775], [gid, 0o660], [gid, 0o2775], [gid, 0o775]]);
});

test("links are given, what they lead to is not", async () => {
  symlinkSync(outside, join(volume, "directory"));
  symlinkSync(join(outside, "secret"), join(volume, "deep/link"));
  await applyFsGroup(volume, gid, false);
  expect([join(volume, "directory"), join(volume, "deep/link")].map((path) => seen(path)[0])).toEqual([gid, gid]);
  expect([outside, join(outside, "secret")].map(seen)).toEqual([[0, 0o700], [0, 0o600]]);
});

test("a volume whose root is right is left alone where that is asked for", async () => {
  await applyFsGroup(volume, gid, true);
  writeFileSync(join(volume, "new"), "x", { mode: 0o600 });
  await applyFsGroup(volume, gid, true);
  expect(seen(join(volume, "new"))[1]).toBe(0o600);
  await applyFsGroup(volume, gid, false);
  expect(seen(join(volume, "new"))).toEqual([gid, 0o660]);
});
