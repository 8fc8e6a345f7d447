import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureFile } from "./files.ts";

test("a file that is as it should be is not written", () => {
  const directory = mkdtempSync(join(tmpdir(), "skiff-files-")), file = join(directory, "sub/file");
  try {
    const written = (content: string): number => {
      ensureFile(file, content);
      expect(readFileSync(file, "utf8")).toBe(content);
      return statSync(file).ino;
    };
    const first = written("a");
    expect(written("a")).toBe(first);
    expect(written("b")).not.toBe(first);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
