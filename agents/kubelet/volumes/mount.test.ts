import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isShared, mount, mountsBelow, shareMounts, unmountBelow } from "./mount.ts";

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "skiff-mount-")));
});
afterEach(() => {
  unmountBelow(root);
  rmSync(root, { recursive: true });
});

test("a directory on a mount that isn't shared becomes one that is, once, with what is mounted below it", () => {
  const directory = join(root, "kubelet"), below = join(directory, "below");
  mkdirSync(below, { recursive: true });
  mount("tmpfs", root, "tmpfs");
  mkdirSync(below, { recursive: true });
  mount("none", root, "none", 1 << 18);
  mount("tmpfs", below, "tmpfs");
  expect(isShared(directory)).toBe(false);
  shareMounts(directory);
  shareMounts(directory);
  expect(isShared(directory)).toBe(true);
  expect(mountsBelow(root).filter((point) => point === directory)).toEqual([directory]);
});

const line = (id: number, point: string, options: string): string => `${id} 1 8:1 / ${point} rw,relatime ${options}- ext4 /dev/sda1 rw`;

test.each([
  ["/a/b", [line(1, "/", "shared:1 ")], true],
  ["/a/b", [line(1, "/", "")], false],
  ["/a/b", [line(1, "/", "shared:1 "), line(2, "/a", "master:3 ")], false],
  ["/a/b", [line(1, "/", ""), line(2, "/a", "shared:2 master:3 ")], true],
  ["/a/b", [line(1, "/", "shared:1 "), line(2, "/a/bc", "")], true],
  ["/a/b", [line(1, "/a/b", "shared:1 "), line(2, "/a/b", "")], false],
  ["/a b", [line(1, "/", ""), line(2, "/a\\040b", "shared:2 ")], true],
])("whether %s shares its mounts, by %p", (path, lines, expected) => {
  expect(isShared(path, lines.join("\n"))).toBe(expected);
});
