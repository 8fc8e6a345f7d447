import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { envFileValue, fileKeyValue } from "./env-file.ts";

test.each([
  ["A='1'", "1"], ["  A='1' # why", "1"], ["# A='0'\n\nB='x'\nA='1'", "1"], ["A='1'\r\n", "1"], ["A='$B \\n'", "$B \\n"], ["A='one\n\n two'\nB='x'", "one\n\n two"], ["A='#'", "#"],
  ["A= '1'", undefined], ["A=''", undefined], ["B='A=1'", undefined], ["", undefined],
  // What comes after is not looked at, as the container may still be writing it.
  ["A='1'\nnonsense", "1"],
])("%j", (text, expected) => expect(envFileValue(text, "A")).toBe(expected));

test.each([
  ["A", "line 1: missing '='"], ["B='x'\nA=1", "line 2: value must be enclosed in single quotes"], ["A ='1'", "line 1: whitespace before '=' is not allowed"], ["='1'", "line 1: empty variable name"],
  ["B='x'\nA='1\n2", "line 2: unclosed single quote"], ["A='1'x", "line 1: unexpected content after closing quote"],
])("%j is refused", (text, message) => expect(() => envFileValue(text, "A")).toThrow(message));

let root: string, volume: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "skiff-env-file-")));
  volume = join(root, "volume");
  mkdirSync(join(volume, "v1"), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

const read = (path: string, volumePath: string | undefined = volume): string | undefined => fileKeyValue({ volumeName: "config", path, key: "A" }, volumePath);

test("a file of the volume, also through links that stay in it", () => {
  writeFileSync(join(volume, "v1/f.env"), "A='1'");
  symlinkSync("v1", join(volume, "current"));
  expect(read("current/f.env")).toBe("1");
  expect(read("v1/none.env")).toBeUndefined();
});

test("nothing outside the volume, nothing that is no file, nothing too large", async () => {
  writeFileSync(join(root, "secret"), "A='hidden'");
  symlinkSync("../secret", join(volume, "link"));
  expect(() => read("link")).toThrow("not within volume path");
  expect(() => read("v1")).toThrow('env file "v1" is not a regular file');
  await Bun.$`mkfifo ${join(volume, "pipe")}`.quiet();
  expect(() => read("pipe")).toThrow('env file "pipe" is not a regular file');
  writeFileSync(join(volume, "large"), Buffer.alloc(1024 * 1024 + 1));
  expect(() => read("large")).toThrow('env file "large" is larger than 1 MiB');
  writeFileSync(join(volume, "odd"), "A=1");
  expect(() => read("odd")).toThrow(`couldn't parse env file "odd" of volume "config": line 1: value must be enclosed in single quotes`);
  expect(() => fileKeyValue({ volumeName: "config", path: "f", key: "A" }, undefined)).toThrow('cannot find the volume "config" referenced by FileKeyRef');
});
