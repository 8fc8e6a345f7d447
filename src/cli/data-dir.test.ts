import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configuredDataDir, mustBeReadable } from "./data-dir.ts";

const directories: string[] = [];
afterEach(() => directories.splice(0).forEach((directory) => rmSync(directory, { recursive: true })));

test.each([
  ["nothing is said", {}, "/var/lib/skiff"],
  ["a configuration says so", { "config.yaml": "node-name: edge\ndata-dir: /mnt/ssd\n" }, "/mnt/ssd"],
  ["it was installed so", { "skiff.env": "SKIFF_CONFIG=/x\nSKIFF_DATA_DIR=/mnt/usb\n", "config.yaml": "data-dir: /mnt/ssd\n" }, "/mnt/usb"],
  ["a configuration is broken", { "config.yaml": "data-dir: [\n" }, "/var/lib/skiff"],
  ["a configuration is of another kind", { "config.yaml": "- data-dir\n" }, "/var/lib/skiff"],
])("where data is when %s", (_, files, expected) => {
  const directory = mkdtempSync(join(tmpdir(), "skiff-config-"));
  directories.push(directory);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  expect(configuredDataDir(directory)).toBe(expected);
});

test("a configuration that is closed to this user is no fault until data is looked for in vain", () => {
  const directory = mkdtempSync(join(tmpdir(), "skiff-config-"));
  directories.push(directory);
  writeFileSync(join(directory, "config.yaml"), "data-dir: /mnt/ssd\n", { mode: 0o600 });
  process.seteuid!(65534);
  try {
    expect(configuredDataDir(directory)).toBe("/var/lib/skiff");
    expect(() => mustBeReadable("/nowhere", directory)).toThrow(`${directory} can be read by root alone: run this as root`);
    mustBeReadable(tmpdir(), directory);
  } finally {
    process.seteuid!(0);
  }
});
