import { expect, test } from "bun:test";
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Checkpointer } from "./checkpointer.ts";
import { SqliteStorage } from "./sqlite-storage.ts";

test("a file that could not be opened is opened the next time, and the writer is not kept off it meanwhile", async () => {
  const directory = mkdtempSync(join(tmpdir(), "skiff-checkpointer-")), path = join(directory, "state.db"), away = join(directory, "away.db");
  await (await SqliteStorage.open({ path })).close();
  let finished = 0;
  const checkpointer = new Checkpointer({ path, finish: async () => finished++, onFatal: (error) => { throw error; } });
  const long = { log: 10_000, checkpointed: 0 };
  try {
    renameSync(path, away);
    for (let i = 0; i < 2; i++) {
      checkpointer.follow(long);
      await checkpointer.settled();
      expect(checkpointer.occupancy.wait(0)).toBe(true);
    }
    expect(finished).toBe(0);
    renameSync(away, path);
    checkpointer.follow(long);
    await checkpointer.settled();
    expect(finished).toBe(1);
    await checkpointer.close();
  } finally {
    checkpointer.stop();
    rmSync(directory, { recursive: true });
  }
});
