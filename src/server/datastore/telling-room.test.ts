import { expect, test } from "bun:test";
import { MemoryStorage } from "../../storage/memory/memory-storage.ts";
import { StorageError } from "../../storage/storage.ts";
import { Shortage } from "./shortage.ts";
import { tellingRoom } from "./telling-room.ts";

test("a refused write tells that there is no room, and the next one that is taken that there is", async () => {
  const memory = new MemoryStorage(), shortage = new Shortage(), told: (string | undefined)[] = [], value = new Uint8Array(1);
  shortage.onChange((why) => told.push(why));
  const storage = tellingRoom(memory, shortage), full = new StorageError("full", "etcd is full");
  const at = await storage.create("/registry/a", value);
  expect(storage.revision).toBe(memory.revision);

  const { create, update } = memory;
  Object.assign(memory, { create: () => Promise.reject(full), update: () => Promise.reject(full) });
  for (const write of [() => storage.create("/registry/b", value), () => storage.update("/registry/a", at, value)]) await expect(write()).rejects.toThrow(full);
  // What is deleted takes no room.
  await storage.delete("/registry/a", at);
  expect(told).toEqual(["etcd is full"]);

  Object.assign(memory, { create, update });
  await expect(storage.update("/registry/a", at, value)).rejects.toThrow("does not exist");
  expect(told).toEqual(["etcd is full"]);
  for (const name of ["b", "c"]) await storage.create(`/registry/${name}`, value);
  expect(told).toEqual(["etcd is full", undefined]);
  expect((await storage.list("/registry/")).items.map(({ key }) => key)).toEqual(["/registry/b", "/registry/c"]);
});
