import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, renameSync, rmdirSync, rmSync, statfsSync, statSync, symlinkSync, truncateSync, unlinkSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../../src/base/files.ts";
import { output } from "../support/running.ts";
import { TestDisk } from "../support/fuse/disk.ts";
import { type Random, randomOf } from "../support/fuse/random.ts";

let disk: TestDisk;
beforeEach(async () => {
  disk = await TestDisk.mount();
});
afterEach(() => disk.dispose());

const at = (...names: string[]): string => join(disk.path, ...names);
const sync = (path: string): void => {
  const fd = openSync(path, "r");
  fsyncSync(fd);
  closeSync(fd);
};
async function cutPower(seed?: number): Promise<void> {
  await disk.powerOff();
  await disk.remount({ seed });
}

describe("plain semantics", () => {
  const names = ["a", "b", "c", "d"], directories = ["", "x", "y", "x/z"];
  const operations: Record<string, (root: string, random: Random) => unknown> = {
    write: (root, random) => writeFileSync(some(root, random), text(random)),
    append: (root, random) => writeFileSync(some(root, random), text(random), { flag: "a" }),
    patch: (root, random) => {
      const fd = openSync(some(root, random), "r+");
      try {
        return writeSync(fd, text(random), random.below(20_000));
      } finally {
        closeSync(fd);
      }
    },
    truncate: (root, random) => truncateSync(some(root, random), random.below(20_000)),
    read: (root, random) => readFileSync(some(root, random)).toString("latin1"),
    rename: (root, random) => renameSync(some(root, random), some(root, random)),
    renameDirectory: (root, random) => renameSync(join(root, random.pick(directories)), join(root, random.pick(directories))),
    link: (root, random) => linkSync(some(root, random), some(root, random)),
    symlink: (root, random) => symlinkSync(random.pick(names), some(root, random)),
    readlink: (root, random) => readlinkSync(some(root, random)),
    unlink: (root, random) => unlinkSync(some(root, random)),
    mkdir: (root, random) => mkdirSync(join(root, random.pick(directories)), 0o750),
    rmdir: (root, random) => rmdirSync(join(root, random.pick(directories))),
    list: (root, random) => readdirSync(join(root, random.pick(directories))).toSorted(),
    stat: (root, random) => {
      const { mode, size, nlink, uid, gid } = statSync(some(root, random));
      return { mode, size, nlink, uid, gid };
    },
    /** A file without a name is there while it is open. */
    orphan: (root, random) => {
      const path = some(root, random), fd = openSync(path, "r+");
      try {
        unlinkSync(path);
        writeSync(fd, text(random), 100);
        const buffer = Buffer.alloc(50_000);
        return buffer.toString("latin1", 0, readSync(fd, buffer, 0, buffer.length, 0));
      } finally {
        closeSync(fd);
      }
    },
  };
  const some = (root: string, random: Random): string => join(root, random.pick(directories), random.pick(names));
  const text = (random: Random): string => String.fromCharCode(65 + random.below(26)).repeat(random.below(9000));
  /** What came of it, or its error's code. */
  const attempt = (name: string, root: string, random: Random): unknown => {
    try {
      return { name, result: operations[name]!(root, random) };
    } catch (error) {
      return { name, code: (error as NodeJS.ErrnoException).code };
    }
  };

  /** With each name its type and where a link leads. */
  const namesBelow = async (root: string): Promise<string[]> => (await output(["find", root, "-printf", "%P %y %l\\n"])).split("\n").toSorted();

  test("are those of the kernel's own file system in memory: 3,000 random operations", async () => {
    const other = mkdtempSync("/dev/shm/skiff-disk-");
    try {
      const choose = randomOf(1), own = at("root");
      mkdirSync(own);
      for (let i = 0; i < 3000; i++) {
        const name = choose.pick(Object.keys(operations)), seed = choose.below(2 ** 31);
        expect({ i, ...attempt(name, own, randomOf(seed)) as object }).toEqual({ i, ...attempt(name, other, randomOf(seed)) as object });
      }
      expect(await namesBelow(own)).toEqual(await namesBelow(other));
    } finally {
      rmSync(other, { recursive: true });
    }
  });

  test("a directory with many files is listed, and removed", () => {
    mkdirSync(at("many"));
    for (let i = 0; i < 1000; i++) writeFileSync(at("many", `a-file-with-a-longer-name-${i}`), "");
    expect(readdirSync(at("many"))).toHaveLength(1000);
    rmSync(at("many"), { recursive: true });
    expect(existsSync(at("many"))).toBe(false);
  });

  test("what was written is there after it has been mounted anew", async () => {
    writeFileSync(at("kept"), "text");
    await disk.remount();
    expect(readFileSync(at("kept"), "utf8")).toBe("text");
  });
});

describe("a power cut", () => {
  test("takes what was written since the last fsync, and nothing else", async () => {
    const fd = openSync(at("file"), "w");
    writeSync(fd, "a".repeat(10_000), 0);
    fsyncSync(fd);
    sync(disk.path);
    writeSync(fd, "b".repeat(10_000), 5000);
    closeSync(fd);
    await cutPower();
    expect(readFileSync(at("file"), "utf8")).toBe("a".repeat(10_000));
  });

  test("takes names until their directory is synced: made, renamed and removed ones", async () => {
    for (const name of ["renamed", "removed"]) writeFileSync(at(name), name);
    await disk.sync();
    writeFileSync(at("made"), "made");
    sync(at("made"));
    renameSync(at("renamed"), at("other"));
    unlinkSync(at("removed"));
    await cutPower();
    expect(readdirSync(disk.path).toSorted()).toEqual(["removed", "renamed"]);
    expect(readFileSync(at("removed"), "utf8")).toBe("removed");
    renameSync(at("renamed"), at("other"));
    unlinkSync(at("removed"));
    sync(disk.path);
    await cutPower();
    expect(readdirSync(disk.path)).toEqual(["other"]);
  });

  test("keeps directories above one that was synced", async () => {
    mkdirSync(at("a/b/c"), { recursive: true });
    writeFileAtomic(at("a/b/c/file"), "content");
    await cutPower();
    expect(readFileSync(at("a/b/c/file"), "utf8")).toBe("content");
  });

  test("hits at a request of one's choice, which fails like all after it", async () => {
    const lost = Promise.withResolvers<void>();
    writeFileSync(at("file"), "old");
    await disk.sync();
    await disk.powerOffAfter(2, () => lost.resolve());
    const fd = openSync(at("file"), "r+");
    writeSync(fd, "new");
    expect(() => fsyncSync(fd)).toThrow("EIO");
    await lost.promise;
    closeSync(fd);
    await disk.remount();
    expect(readFileSync(at("file"), "utf8")).toBe("old");
  });

  test("with a seed keeps some of what was not synced: old, new, torn between sectors, and the same again for the same seed", async () => {
    const page = (letter: string): string => letter.repeat(4096);
    const seen = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      writeFileSync(at("file"), page("a") + page("a"));
      await disk.sync();
      const fd = openSync(at("file"), "r+");
      for (const letter of ["b", "c"]) writeSync(fd, page(letter), 4096);
      closeSync(fd);
      await cutPower(seed);
      const content = readFileSync(at("file"), "latin1");
      expect(content.slice(0, 4096)).toBe(page("a"));
      const runs = content.slice(4096).replace(/(.)\1*/g, "$1");
      expect(runs).toMatch(/^(|a|b|c|ab|ac|ba|bc|ca|cb)$/);
      expect(content.slice(4096).match(/(.)\1*/g)!.every((run) => run.length % 512 === 0)).toBe(true);
      seen.add(runs);
    }
    for (const runs of ["a", "b", "c"]) expect(seen).toContain(runs);
    expect([...seen].filter((runs) => runs.length === 2)).not.toEqual([]);
  });

  test("of a disk that lies about fsync takes it all", async () => {
    await disk.setFaults({ lies: true });
    writeFileAtomic(at("file"), "content");
    await cutPower();
    expect(existsSync(at("file")) && readFileSync(at("file"), "utf8")).not.toBe("content");
  });
});

describe("faults", () => {
  test("a full disk takes no more, but what is there can be changed, and removing makes room", async () => {
    await disk.setFaults({ capacity: 40_960 });
    writeFileSync(at("one"), "x".repeat(36_864));
    const { bavail, blocks } = statfsSync(disk.path);
    expect({ blocks, bavail }).toEqual({ blocks: 10, bavail: 1 });
    expect(() => writeFileSync(at("two"), "x".repeat(8192))).toThrow("ENOSPC");
    const fd = openSync(at("one"), "r+");
    writeSync(fd, "changed", 0);
    closeSync(fd);
    unlinkSync(at("one"));
    writeFileSync(at("two"), "x".repeat(8192));
    expect(await disk.usedBytes()).toBe(8192);
  });

  test("room that was set aside can be used when the disk is full", async () => {
    await disk.setFaults({ capacity: 40_960 });
    await output(["fallocate", "--length", "20480", at("reserve")]);
    expect(statSync(at("reserve")).size).toBe(20_480);
    expect(() => writeFileSync(at("file"), "x".repeat(24_576))).toThrow("ENOSPC");
    const fd = openSync(at("reserve"), "r+");
    writeSync(fd, "x".repeat(20_480));
    closeSync(fd);
    truncateSync(at("reserve"), 4096);
    truncateSync(at("file"), 0);
    writeFileSync(at("file"), "x".repeat(36_864));
  });

  test("a failed fsync has synced nothing, and the next one doesn't either", async () => {
    writeFileSync(at("file"), "old");
    await disk.sync();
    const fd = openSync(at("file"), "r+");
    writeSync(fd, "new");
    await disk.setFaults({ fail: { fsync: "EIO" } });
    expect(() => fsyncSync(fd)).toThrow("EIO");
    await disk.setFaults({});
    fsyncSync(fd);
    closeSync(fd);
    expect(readFileSync(at("file"), "utf8")).toBe("new");
    await cutPower();
    expect(readFileSync(at("file"), "utf8")).toBe("old");
  });

  test("a slow fsync keeps nobody else waiting", async () => {
    await disk.setFaults({ fsyncMs: 3000 });
    writeFileSync(at("file"), "text");
    const order: string[] = [];
    const syncing = Bun.spawn(["sync", at("file")]).exited.then(() => order.push("sync"));
    await Bun.spawn(["cat", at("file")], { stdout: "ignore" }).exited;
    order.push("read");
    await syncing;
    expect(order).toEqual(["read", "sync"]);
    expect((await disk.counters())["file"]).toEqual({ writes: 1, bytesWritten: 4, fsyncs: 1, threads: [process.pid, expect.any(Number)] });
  });
});

describe("SQLite on it", () => {
  // FULL does not sync the directory after the journal's removal, and may so lose the last commit: https://sqlite.org/pragma.html#pragma_synchronous
  test.each([["WAL", "FULL"], ["TRUNCATE", "FULL"], ["DELETE", "EXTRA"]])("in mode %s with synchronous=%s, is whole after each of 40 power cuts at some request, with all that was committed", async (mode, synchronous) => {
    let committed = 0;
    await disk.sync();
    for (let seed = 0; seed < 40; seed++) {
      await disk.powerOffAfter(3 + randomOf(seed).below(200), () => undefined);
      const writer = Bun.spawn([process.execPath, join(import.meta.dir, "../support/fuse/sqlite-writer.fixture.ts"), at("test.db"), mode, synchronous], { stdout: "pipe", stderr: "ignore" });
      committed = Math.max(committed, ...(await new Response(writer.stdout).text()).split("\n").map(Number));
      await writer.exited;
      await disk.powerOff();
      await disk.remount(seed % 2 === 0 ? {} : { seed });
      const db = new Database(at("test.db"), { create: true, readwrite: true });
      expect(db.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
      const there = db.query("SELECT count(*) AS n FROM sqlite_schema").get() as { n: number };
      const last = there.n === 0 ? 0 : (db.query("SELECT coalesce(max(n), 0) AS n FROM numbers").get() as { n: number }).n;
      db.close();
      expect(last).toBeGreaterThanOrEqual(committed);
      expect(last).toBeLessThanOrEqual(committed + 1);
      committed = last;
    }
    expect(committed).toBeGreaterThan(40);
  });
});
