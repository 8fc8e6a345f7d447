import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryStorage } from "../../storage/memory/memory-storage.ts";
import { writeSnapshot } from "../../storage/snapshot/write-snapshot.ts";
import { SqliteStorage } from "../../storage/sqlite/sqlite-storage.ts";
import { layoutOf, type Layout } from "../layout.ts";
import { type Backup, createBackup } from "./backup.ts";
import { decrypted, encrypted } from "./passphrase.ts";
import { finishRestore, restoreBackup, restoreSnapshot } from "./restore.ts";
import { replacedBefore } from "./swap.ts";

let root: string, original: Layout, target: Layout, storage: MemoryStorage;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "skiff-backup-"));
  original = layoutOf(join(root, "old"));
  target = layoutOf(join(root, "new"));
  mkdirSync(join(original.dataDir, "server/manifests/web"), { recursive: true });
  mkdirSync(join(original.dataDir, "server/db"));
  mkdirSync(join(original.dataDir, "server/static"));
  mkdirSync(join(root, "old-config/config.yaml.d"), { recursive: true });
  write("old/server/token", "K10abc::server:secret\n", 0o600);
  write("old/server/manifests/web/app.yaml", "kind: Namespace\n", 0o644);
  write("old/server/db/state.db", "not this one", 0o600);
  write("old/server/static/skiff-linux-arm64", "large", 0o755);
  write("old/server/kubeconfig-path", "/etc/skiff/skiff.yaml\n", 0o600);
  write("old-config/config.yaml", "cluster-domain: home.example\n", 0o644);
  write("old-config/config.yaml.d/10.yaml", "tls-san: [a.example]\n", 0o644);
  write("old-config/unrelated.txt", "somebody's\n", 0o644);
  storage = new MemoryStorage();
  for (let n = 0; n < 50; n++) await storage.create(`/registry/core/configmaps/ns/${n}`, Buffer.from(`value ${n} ${"x".repeat(n * 1000)}`));
});
afterEach(() => rmSync(root, { recursive: true }));

const write = (name: string, content: string, mode: number): void => writeFileSync(join(root, name), content, { mode });
const text = (name: string): string => readFileSync(join(root, name), "utf8");

const backup = (during: () => void = () => undefined): Backup => createBackup({
  dataDir: original.dataDir, configFile: join(root, "old-config/config.yaml"), nodeName: "node-1", version: "v1.36.3+skiff", now: () => 1_700_000_000_000,
  async writeState(...to) {
    const summary = await writeSnapshot(storage, ...to);
    during();
    return summary;
  },
});
const archive = async (): Promise<Uint8Array> => new Uint8Array(await new Response(backup().archive).arrayBuffer());
/** In parts of that size, as a large file is read. */
function stream(bytes: Uint8Array, partBytes = bytes.length): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) controller.close();
      else controller.enqueue(bytes.slice(at, (at += partBytes)));
    },
  });
}
const restore = (bytes: Uint8Array, { force = false, layout = target, partBytes }: { force?: boolean; layout?: Layout; partBytes?: number } = {}) =>
  restoreBackup({ source: stream(bytes, partBytes), name: "my.tar", layout, configFile: join(root, "new-config/config.yaml"), force });

describe("a backup that is restored", () => {
  test("brings back state, keys, tokens, manifests and configuration", async () => {
    const restored = await restore(await archive());
    expect(restored).toEqual({
      skiff: "v1.36.3+skiff", created: "2023-11-14T22:13:20Z", nodeName: "node-1", by: "v1.36.3+skiff", at: 1_700_000_000_000, revision: 50, records: 50,
      config: { placed: ["config.yaml", "config.yaml.d/10.yaml"].map((name) => join(root, "new-config", name)), beside: [] },
    });
    expect(readdirSync(join(root, "new/server"), { recursive: true }).map(String).sort()).toEqual(["db", "db/state.db", "db/state.db.lock", "manifests", "manifests/web", "manifests/web/app.yaml", "token"]);
    expect([text("new/server/token"), text("new/server/manifests/web/app.yaml"), text("new-config/config.yaml")]).toEqual(["K10abc::server:secret\n", "kind: Namespace\n", "cluster-domain: home.example\n"]);
    expect(statSync(join(root, "new/server/token")).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(root, "new"))).toEqual(["server"]);
    const state = await SqliteStorage.open({ path: target.databaseFile });
    expect((await state.list("")).items.map(({ key, revision }) => [key, revision])).toEqual((await storage.list("")).items.map(({ key, revision }) => [key, revision]));
    await state.close();
  });

  test("takes the place of a configuration in which nothing is said", async () => {
    mkdirSync(join(root, "new-config"));
    write("new-config/config.yaml", "# Settings of Skiff\n\n", 0o600);
    const { config } = await restore(await archive());
    expect(config.beside).toEqual([]);
    expect(text("new-config/config.yaml")).toBe("cluster-domain: home.example\n");
  });

  test("leaves a cluster and a configuration alone that are there", async () => {
    mkdirSync(join(root, "new/server"), { recursive: true });
    mkdirSync(join(root, "new-config"));
    write("new/server/token", "another\n", 0o600);
    write("new-config/config.yaml", "cluster-domain: mine.example\n", 0o644);
    await expect(restore(await archive())).rejects.toThrow("has a cluster already: name another directory with --data-dir, or replace it with --force");
    expect(text("new/server/token")).toBe("another\n");
    const { replaced, config } = await restore(await archive(), { force: true });
    expect(readFileSync(join(replaced!, "token"), "utf8")).toBe("another\n");
    expect(text("new/server/token")).toBe("K10abc::server:secret\n");
    expect(config.beside).toEqual([join(root, "new-config/config.yaml.from-backup")]);
    expect(text("new-config/config.yaml")).toBe("cluster-domain: mine.example\n");
  });

  test("in its own place keeps the executables for other machines, which it doesn't have", async () => {
    const bytes = await archive();
    await restore(bytes, { force: true, layout: original });
    expect(text("old/server/static/skiff-linux-arm64")).toBe("large");
    expect(text("old/server.replaced-1/db/state.db")).toBe("not this one");
    const { replaced } = await restore(bytes, { force: true, layout: original });
    expect(existsSync(join(root, "old/server.replaced-2/token"))).toBe(true);
    mkdirSync(join(root, "old/server.replaced-by-hand"));
    expect(replacedBefore(replaced!)).toEqual([join(root, "old/server.replaced-1")]);
  });

  test("does not replace what a server has in use", async () => {
    mkdirSync(join(root, "new/server/db"), { recursive: true });
    const running = await SqliteStorage.open({ path: target.databaseFile });
    await expect(restore(await archive(), { force: true })).rejects.toThrow(/a server runs with .*: stop it first/);
    await running.close();
    await restore(await archive(), { force: true });
  });
});

test("of two at once into a new directory one is refused, and says why; the next is none too many", async () => {
  const bytes = await archive(), outcomes = await Promise.allSettled([restore(bytes, { partBytes: 5000 }), restore(bytes), restore(bytes, { force: true })]);
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
  for (const { reason } of outcomes.slice(1) as PromiseRejectedResult[]) expect((reason as Error).message).toBe(`a backup is being restored into ${target.dataDir}: wait for that to end`);
  await restore(bytes, { force: true });
});

test("whatever was given out since the last restore of the same backup, no revision comes twice", async () => {
  const bytes = await archive(), snapshot = join(root, "50.snapshot"), chunks: Uint8Array[] = [];
  await writeSnapshot(storage, (chunk) => void chunks.push(chunk), { by: "v1", at: 0 });
  writeFileSync(snapshot, Buffer.concat(chunks));
  let newest = 0;
  const bringBack = [() => restore(bytes), () => restore(bytes, { force: true }), () => restoreSnapshot({ file: snapshot, layout: target }), () => restoreSnapshot({ file: snapshot, layout: target })];
  for (const again of bringBack) {
    await again();
    const state = await SqliteStorage.open({ path: target.databaseFile });
    expect(state.revision).toBeGreaterThan(newest);
    await expect(state.watch("/registry/", newest, () => undefined, AbortSignal.abort())).rejects.toMatchObject({ code: "compacted" });
    newest = await state.create("/registry/core/configmaps/ns/later", Buffer.from("x"));
    await state.close();
  }
});

describe("nothing is touched by", () => {
  const untouched = async (bytes: Uint8Array, message: string | RegExp, partBytes?: number): Promise<void> => {
    await expect(restore(bytes, { partBytes })).rejects.toThrow(message);
    expect(existsSync(join(root, "new")) ? readdirSync(join(root, "new")) : []).toEqual([]);
    expect(existsSync(join(root, "new-config"))).toBe(false);
  };

  test("a file that is no backup, empty, or newer", async () => {
    await untouched(Buffer.from("#!/bin/sh\n".repeat(200)), "my.tar");
    await untouched(new Uint8Array(0), "it is no backup of Skiff's");
    const newer = Buffer.from(await archive());
    newer.write('"version": 7', newer.indexOf('"version": 1'));
    await untouched(newer, "my.tar was written by a newer Skiff (v1.36.3+skiff): restore it with that version, or a newer one");
  });

  test("one that was cut off", async () => {
    await storage.create("/registry/core/secrets/ns/random", crypto.getRandomValues(Buffer.alloc(60_000)));
    await storage.create("/registry/core/secrets/ns/more", crypto.getRandomValues(Buffer.alloc(60_000)));
    const whole = await archive();
    const end = whole.length - 1024;
    for (let length = 512; length < end; length += 1024 + Math.floor(end / 20)) {
      for (const partBytes of [whole.length, 5000]) await untouched(whole.subarray(0, length), /^my\.tar .*damaged|my\.tar is no backup/, partBytes);
    }
  });

  test("one with a bit changed", async () => {
    const whole = Buffer.from(await archive());
    const changed = (at: number): Buffer => {
      const copy = Buffer.from(whole);
      copy[at]! ^= 1;
      return copy;
    };
    await untouched(changed(whole.indexOf("K10abc")), 'my.tar is damaged: "server/token" is not what was put in');
    await untouched(changed(whole.length - 3000), /my\.tar is damaged/);
  });

  test("one that names files elsewhere", async () => {
    const evil = Buffer.from(await archive());
    for (let at = evil.indexOf("server/token"); at >= 0; at = evil.indexOf("server/token", at + 1)) evil.write("server/../sh", at);
    await untouched(evil, /damaged/);
  });
});

test("a restore that was decided is finished by the next start, one that wasn't leaves what was there", async () => {
  const bytes = await archive();
  await restore(bytes);
  mkdirSync(join(root, "there/server/static"), { recursive: true });
  write("there/server/token", "old\n", 0o600);
  const layout = layoutOf(join(root, "there"));
  renameSync(join(root, "new/server"), join(root, "there/server.restoring"));
  finishRestore(layout);
  expect(text("there/server/token")).toBe("old\n");

  rmSync(join(root, "new"), { recursive: true });
  await restore(bytes);
  rmSync(join(root, "there/server.restoring"), { recursive: true });
  renameSync(join(root, "new/server"), join(root, "there/server.restored"));
  finishRestore(layout);
  expect(text("there/server/token")).toBe("K10abc::server:secret\n");
  expect(text("there/server.replaced-1/token")).toBe("old\n");
  finishRestore(layout);
  expect(readdirSync(join(root, "there")).sort()).toEqual(["server", "server.replaced-1"]);

  renameSync(join(root, "there/server"), join(root, "there/server.restored"));
  renameSync(join(root, "there/server.replaced-1"), join(root, "there/server.replaced-7"));
  finishRestore(layout);
  expect(readdirSync(join(root, "there")).sort()).toEqual(["server", "server.replaced-7"]);
  expect(text("there/server/token")).toBe("K10abc::server:secret\n");
});

test("a snapshot on the disk takes the place of the database, and all else stays", async () => {
  await restore(await archive());
  const snapshots = join(root, "new/server/db/snapshots");
  mkdirSync(snapshots);
  const file = join(snapshots, "51.snapshot"), chunks: Uint8Array[] = [];
  await storage.create("/registry/core/configmaps/ns/later", Buffer.from("later"));
  await writeSnapshot(storage, (chunk) => void chunks.push(chunk), { by: "v1", at: 0 });
  writeFileSync(file, Buffer.concat(chunks).subarray(0, -1));
  await expect(restoreSnapshot({ file, layout: target })).rejects.toThrow(`${file} is damaged`);
  writeFileSync(file, Buffer.concat(chunks));
  const { revision, replaced } = await restoreSnapshot({ file, layout: target });
  expect([revision, replaced]).toEqual([51, join(root, "new/server/db.replaced-1")]);
  expect(text("new/server/token")).toBe("K10abc::server:secret\n");
  expect(existsSync(file)).toBe(true);
  const state = await SqliteStorage.open({ path: target.databaseFile });
  expect(await state.get("/registry/core/configmaps/ns/later")).toBeDefined();
  await state.close();
  expect(readdirSync(join(root, "new/server")).sort()).toEqual(["db", "db.replaced-1", "manifests", "token"]);
});

test("a reader that goes away ends the backup", async () => {
  const begun = Promise.withResolvers<void>(), ended = Promise.withResolvers<unknown>();
  const { archive: bytes } = createBackup({
    dataDir: original.dataDir, configFile: join(root, "none.yaml"), nodeName: "node-1", version: "v1", now: () => 0,
    writeState: (write) => (async () => { for (;; begun.resolve()) await write(new Uint8Array(1e6)); })().catch((error: unknown) => { ended.resolve(error); throw error; }),
  });
  const reader = bytes.getReader();
  await reader.read();
  await begun.promise;
  await reader.cancel(new Error("the client is gone"));
  expect(String(await ended.promise)).toContain("the client is gone");
});

test("a backup breaks when the server's keys change meanwhile", async () => {
  const { archive: bytes } = backup(() => write("old/server/token", "K10abc::server:another\n", 0o600));
  await expect(new Response(bytes).arrayBuffer()).rejects.toThrow("make it again");
});

describe("a passphrase", () => {
  const read = async (bytes: Uint8Array, passphrase?: string) => new Uint8Array(await new Response(await decrypted(stream(bytes), "my.tar.age", async () => passphrase)).arrayBuffer());

  test("is needed for what it encrypted, and nothing else is", async () => {
    const plain = await archive();
    const sealed = new Uint8Array(await new Response(await encrypted(stream(plain), "correct horse")).arrayBuffer());
    expect(Buffer.from(sealed).includes("K10abc")).toBe(false);
    expect(Buffer.compare(await read(sealed, "correct horse"), plain)).toBe(0);
    expect(Buffer.compare(await read(plain), plain)).toBe(0);
    await expect(read(sealed)).rejects.toThrow("my.tar.age is encrypted: give its passphrase");
    await expect(read(sealed, "wrong horse")).rejects.toThrow("the passphrase is not that of my.tar.age");
    await expect(read(Buffer.concat([sealed.subarray(0, 40), sealed.subarray(41)]), "correct horse")).rejects.toThrow("damaged");
  });

  test("damage and cuts in what it encrypted are noticed", async () => {
    const sealed = new Uint8Array(await new Response(await encrypted(stream(await archive()), "p")).arrayBuffer());
    for (const bad of [sealed.subarray(0, sealed.length - 10), sealed.subarray(0, sealed.length - 9000), Uint8Array.from(sealed, (byte, at) => (at === sealed.length - 5000 ? byte ^ 1 : byte))]) {
      const source = await decrypted(stream(bad), "my.tar.age", async () => "p");
      await expect(restoreBackup({ source, name: "my.tar.age", layout: target, configFile: join(root, "new-config/config.yaml"), force: false })).rejects.toThrow(/my\.tar\.age .*damaged/);
      expect(readdirSync(join(root, "new"))).toEqual([]);
    }
  });
});
