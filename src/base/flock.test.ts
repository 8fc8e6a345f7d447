import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lock } from "./flock.ts";

const directory = mkdtempSync(join(tmpdir(), "skiff-flock-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("shared locks go together, an exclusive one with none; nothing is left in the directory", () => {
  const [a, b] = [lock(directory, "shared")!, lock(directory, "shared")!];
  expect(lock(directory, "exclusive")).toBeUndefined();
  a.release();
  expect(lock(directory, "exclusive")).toBeUndefined();
  b.release();
  const alone = lock(directory, "exclusive")!;
  expect(lock(directory, "shared")).toBeUndefined();
  alone.release();
  lock(directory, "shared")!.release();
  expect(readdirSync(directory)).toEqual([]);
});

test("what another process has is free when that dies, whatever it has started", async () => {
  const holder = Bun.spawn([process.execPath, "-e", `
    const { lock } = await import(${JSON.stringify(join(import.meta.dir, "flock.ts"))});
    lock(${JSON.stringify(directory)}, "shared");
    const child = Bun.spawn(["sleep", "60"]);
    console.log(child.pid);
    await child.exited;
  `], { stdout: "pipe" });
  const { value } = await holder.stdout.getReader().read(), child = Number(Buffer.from(value!).toString());
  try {
    expect(lock(directory, "exclusive")).toBeUndefined();
    holder.kill("SIGKILL");
    await holder.exited;
    lock(directory, "exclusive")!.release();
  } finally {
    process.kill(child, "SIGKILL");
  }
});
