import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMountPoint, mountsBelow, unmountBelow } from "./mount.ts";
import { prepareSubPath } from "./sub-path.ts";

let root: string, volume: string, target: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "skiff-subpath-")));
  volume = join(root, "volume");
  target = join(root, "target/0");
  mkdirSync(volume);
});
afterEach(() => {
  unmountBelow(root);
  rmSync(root, { recursive: true });
});

test("a missing one becomes directories with the volume's mode, whatever the umask", () => {
  chmodSync(volume, 0o2777);
  expect(prepareSubPath(volume, "a/b", target)).toBe(target);
  expect([volume, join(volume, "a"), join(volume, "a/b"), target].map((path) => statSync(path).mode & 0o7777)).toEqual([0o2777, 0o2777, 0o2777, 0o2777]);
  expect(isMountPoint(target)).toBe(true);
});

test("a file, and what takes its place before the container starts again", () => {
  writeFileSync(join(volume, "v1"), "old");
  symlinkSync("v1", join(volume, "file"));
  prepareSubPath(volume, "file", target);
  prepareSubPath(volume, "file", target);
  expect(readFileSync(target, "utf8")).toBe("old");
  writeFileSync(join(volume, "v2"), "new");
  rmSync(join(volume, "file"));
  symlinkSync("v2", join(volume, "file"));
  prepareSubPath(volume, "file", target);
  expect(readFileSync(target, "utf8")).toBe("new");
  expect(mountsBelow(target)).toEqual([target]);
});

test.each(["out", "out/made", "up/../../made", "dangling/made"])("none leads out of the volume: %s", (subPath) => {
  mkdirSync(join(root, "elsewhere"));
  symlinkSync(join(root, "elsewhere"), join(volume, "out"));
  symlinkSync(join(root, "nowhere"), join(volume, "dangling"));
  expect(() => prepareSubPath(volume, subPath, target)).toThrow();
  expect([existsSync(join(root, "elsewhere/made")), existsSync(join(root, "nowhere")), existsSync(target)]).toEqual([false, false, false]);
});
