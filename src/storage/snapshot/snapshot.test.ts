import { describe, expect, test } from "bun:test";
import { MemoryStorage } from "../memory/memory-storage.ts";
import type { Listed, Storage } from "../storage.ts";
import type { SnapshotRecord } from "./format.ts";
import { readSnapshot, type SnapshotContents } from "./read-snapshot.ts";
import { writeSnapshot } from "./write-snapshot.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const about = { by: "v1.36.3+skiff", at: 1_700_000_000_000 };

async function written(storage: Storage): Promise<{ content: Buffer; revision: number; records: number; bytes: number }> {
  const chunks: Uint8Array[] = [];
  const summary = await writeSnapshot(storage, (chunk) => void chunks.push(chunk), about);
  return { content: Buffer.concat(chunks), ...summary };
}

async function* pieces(content: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

/** Keys with revision and value as the snapshot leaves them. */
async function read(content: Uint8Array, size = 777): Promise<{ contents: SnapshotContents; state: Record<string, [number, string]> }> {
  const state = new Map<string, [number, string]>();
  const contents = await readSnapshot(pieces(content, size), (records: readonly SnapshotRecord[]) => {
    for (const { key, revision, value } of records) {
      if (value) state.set(key, [revision, Buffer.from(value).toString()]);
      else state.delete(key);
    }
  });
  return { contents, state: Object.fromEntries([...state].sort(([a], [b]) => (a < b ? -1 : 1))) };
}

const stateOf = async (storage: Storage, revision: number): Promise<Record<string, [number, string]>> =>
  Object.fromEntries((await storage.list("", { revision })).items.map(({ key, revision: at, value }) => [key, [at, Buffer.from(value).toString()]]));

describe("a snapshot", () => {
  test("holds every key with its revision and value, of any size", async () => {
    const storage = new MemoryStorage();
    for (const [at, size] of [0, 1, 3000, 200_000, 2_000_000].entries()) await storage.create(`/registry/core/configmaps/ns/größe-${at}`, bytes("x".repeat(size)));
    const { content, ...summary } = await written(storage);
    expect(summary).toEqual({ revision: 5, records: 5, bytes: content.length });
    for (const size of [1, 777, content.length]) {
      const { contents, state } = await read(content, size);
      expect(contents).toEqual({ ...about, revision: 5, records: 5 });
      expect(state).toEqual(await stateOf(storage, 5));
    }
  });

  test("of an empty store is one", async () => {
    const { content, revision } = await written(new MemoryStorage());
    expect(await read(content)).toEqual({ contents: { ...about, revision, records: 0 }, state: {} });
  });

  test("is of one revision though all is written to meanwhile", async () => {
    const storage = new MemoryStorage();
    for (let n = 0; n < 400; n++) await storage.create(`/registry/core/configmaps/ns/${String(n).padStart(4, "0")}`, bytes(`first ${"x".repeat(3000)}`));
    let turn = 0;
    const churn = async (): Promise<void> => {
      const at = (n: number) => `/registry/core/configmaps/ns/${String((n * 37) % 400).padStart(4, "0")}`;
      const changed = await storage.get(at(turn)), gone = await storage.get(at(turn + 200));
      if (changed) await storage.update(changed.key, changed.revision, bytes(`turn ${turn}`));
      if (gone) await storage.delete(gone.key, gone.revision);
      await storage.create(`/registry/core/configmaps/ns/${["!", "~"][turn % 2]}${turn}`, bytes("made meanwhile"));
      turn++;
    };
    const chunks: Uint8Array[] = [];
    const { revision } = await writeSnapshot(storage, async (chunk) => {
      chunks.push(chunk);
      for (let n = 0; n < 5; n++) await churn();
    }, about);
    expect(turn).toBeGreaterThan(30);
    expect(storage.revision).toBeGreaterThan(revision);
    const { contents, state } = await read(Buffer.concat(chunks));
    expect(contents.revision).toBe(revision);
    expect(state).toEqual(await stateOf(storage, revision));
  });

  test("waits for watchers that are behind what was read", async () => {
    const behind = new MemoryStorage();
    await behind.create("/registry/core/pods/a/one", bytes("1"));
    const first = (await behind.get("/registry/core/pods/a/one"))!;
    // As another server's write shows in a list before this server's watch has it.
    const list = async (): Promise<Listed> => {
      setTimeout(() => void behind.update(first.key, 1, bytes("2")), 5);
      return { items: [{ ...first, revision: 2, value: bytes("2") }], revision: 2, more: false };
    };
    const { content, revision } = await written({ get revision() { return behind.revision; }, list, watch: behind.watch.bind(behind) } as unknown as Storage);
    expect(revision).toBe(2);
    expect((await read(content)).state).toEqual({ "/registry/core/pods/a/one": [2, "2"] });
  });

  test("fails with its storage, and with what it is written to", async () => {
    const storage = new MemoryStorage();
    await storage.create("/registry/core/pods/a/one", bytes("1"));
    await expect(writeSnapshot(storage, () => Promise.reject(new Error("the disk is full")), about)).rejects.toThrow("the disk is full");
    await storage.close();
    await expect(written(storage)).rejects.toMatchObject({ code: "closed" });
  });
});

describe("is refused", () => {
  const snapshot = async (): Promise<Buffer> => {
    const storage = new MemoryStorage();
    for (let n = 0; n < 20; n++) await storage.create(`/registry/core/pods/a/${n}`, bytes(`value ${n}`));
    return (await written(storage)).content;
  };

  test("with any byte changed", async () => {
    const content = await snapshot();
    for (let at = 0; at < content.length; at++) {
      const changed = Buffer.from(content);
      changed[at]! ^= 0x20;
      await expect(read(changed)).rejects.toMatchObject({ name: "SnapshotError" });
    }
  });

  test("cut off anywhere, or with something behind it", async () => {
    const content = await snapshot();
    for (let length = 0; length < content.length; length += 7) await expect(read(content.subarray(0, length))).rejects.toMatchObject({ name: "SnapshotError" });
    await expect(read(Buffer.concat([content, Buffer.from("x")]))).rejects.toMatchObject({ code: "damaged" });
  });

  test("when it is something else, or newer", async () => {
    await expect(read(Buffer.from("SQLite format 3\0"))).rejects.toMatchObject({ code: "foreign" });
    await expect(read(Buffer.from("skiff-snapshot 2\nwhatever"))).rejects.toMatchObject({ code: "newer", message: expect.stringContaining("newer Skiff") });
  });
});
