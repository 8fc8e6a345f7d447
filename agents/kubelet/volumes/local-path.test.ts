import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PersistentVolume } from "../../../src/apis/generated/core/v1.ts";
import { deleteVolumeDirectory, makeVolumeDirectory } from "./local-path.ts";

const name = "pvc-01234567-89ab-cdef-0123-456789abcdef";
const volume = (path: string): PersistentVolume => ({ metadata: { name }, spec: { local: { path } } });

let root: string, storage: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "skiff-local-"));
  storage = join(root, "storage");
});
afterEach(() => rmSync(root, { recursive: true }));

describe("a volume's directory", () => {
  test("is made in this node's storage directory, for anybody to write to, and kept", () => {
    const directory = makeVolumeDirectory(storage, volume(`/somewhere/else/${name}_ns_data`));
    expect(directory).toBe(join(storage, `${name}_ns_data`));
    expect([statSync(directory).mode & 0o7777, statSync(storage).mode & 0o7777]).toEqual([0o777, 0o711]);
    writeFileSync(join(directory, "file"), "kept");
    expect(readFileSync(join(makeVolumeDirectory(storage, volume(`/x/${name}_ns_data`)), "file"), "utf8")).toBe("kept");
  });

  test.each([["another volume's", "/x/pvc-other_ns_data"], ["none", "/x/.."], ["the storage directory itself", "/x/storage"]])("is not %s", (_, path) => {
    expect(() => makeVolumeDirectory(storage, volume(path))).toThrow("must end in a name that begins with the volume's");
  });

  test("is no link, wherever that leads", () => {
    mkdirSync(storage);
    symlinkSync("/etc", join(storage, `${name}_ns_data`));
    expect(() => makeVolumeDirectory(storage, volume(`/x/${name}_ns_data`))).toThrow("is not a directory");
  });
});

describe("deleting a volume's directory", () => {
  test("leaves others, and what links lead to", async () => {
    const directory = makeVolumeDirectory(storage, volume(`/x/${name}_ns_data`)), outside = join(root, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "file"), "stays");
    mkdirSync(join(directory, "deep"));
    symlinkSync(outside, join(directory, "deep/link"));
    mkdirSync(join(storage, "pvc-other_ns_data"));
    await deleteVolumeDirectory(storage, name);
    expect([readdirSync(storage), existsSync(join(outside, "file"))]).toEqual([["pvc-other_ns_data"], true]);
  });

  test("that is a link deletes the link", async () => {
    mkdirSync(join(root, "outside"));
    mkdirSync(storage);
    writeFileSync(join(root, "outside/file"), "stays");
    symlinkSync(join(root, "outside"), join(storage, `${name}_ns_data`));
    await deleteVolumeDirectory(storage, name);
    expect([readdirSync(storage), existsSync(join(root, "outside/file"))]).toEqual([[], true]);
  });

  test("is done when there is nothing", async () => {
    await deleteVolumeDirectory(storage, name);
    expect(existsSync(storage)).toBe(false);
  });
});
