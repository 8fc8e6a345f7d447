import { expect, test } from "bun:test";
import type { BackupStore } from "../server/backup/store.ts";
import { list } from "./backup.ts";

const store = (place: string, found: () => ReturnType<BackupStore["list"]>): BackupStore => ({ locate: (name) => place + name, list: found } as BackupStore);
const here = store("/backups/", async () => [{ name: "skiff-backup-node-1-20261121T030000Z.tar", bytes: 54_272, at: Date.UTC(2026, 10, 21, 3) }]);
const away = store("s3://b/", () => Promise.reject(new Error("s3://b/ could not be reached")));

test("backups that can be listed are, and what can't is told", async () => {
  expect(await list([away, here])).toBe("TAKEN                 SIZE       BACKUP\n2026-11-21T03:00:00Z  54.3 kB    /backups/skiff-backup-node-1-20261121T030000Z.tar\nThere may be more: s3://b/ could not be reached");
  await expect(list([away])).rejects.toThrow("could not be reached");
});
