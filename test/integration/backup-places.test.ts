import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { directoryStore } from "../../src/server/backup/directory-store.ts";
import { s3Store } from "../../src/server/backup/s3-store.ts";
import type { BackupStore } from "../../src/server/backup/store.ts";
import { eventually } from "../support/eventually.ts";
import { startS3Server, type S3Server } from "../support/s3-server.ts";

let s3: S3Server;
const directory = mkdtempSync(join(tmpdir(), "skiff-places-"));
beforeAll(async () => void (s3 = await startS3Server()));
afterAll(() => {
  s3.dispose();
  rmSync(directory, { recursive: true });
});

const inBucket = (changes: object = {}): BackupStore => s3Store({ ...s3, region: "us-east-1", folder: "edge/site-1", insecure: true, ...changes });
const named = (day: number): string => `skiff-backup-node-1-202611${String(day).padStart(2, "0")}T030000Z.tar`;

/** So many megabytes, made while they are read; `breaks` after the last. */
function megabytes(count: number, { breaks = false, cancel = () => undefined }: { breaks?: boolean; cancel?: () => void } = {}): ReadableStream<Uint8Array> {
  let made = 0;
  return new ReadableStream({
    cancel,
    pull(controller) {
      if (made < count) return controller.enqueue(new Uint8Array(1e6).fill(made++));
      if (breaks) controller.error(new Error("the server broke off"));
      else controller.close();
    },
  });
}

async function sizeOf(stream: ReadableStream<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) size += chunk.length;
  return size;
}

describe.each([["a directory", () => directoryStore(join(directory, "made/when/needed"))], ["a bucket", () => inBucket()]] as const)("%s", (_, open) => {
  test("keeps what is put there, small and large, and lists it", async () => {
    const store = open();
    expect(await store.list()).toEqual([]);
    expect(await store.put(named(1), megabytes(1))).toBe(1e6);
    expect(await store.put(named(2), megabytes(40))).toBe(40e6);
    expect(await store.list()).toEqual([{ name: named(2), bytes: 40e6, at: Date.parse("2026-11-02T03:00:00Z") }, { name: named(1), bytes: 1e6, at: Date.parse("2026-11-01T03:00:00Z") }]);
    expect(await sizeOf(store.open(named(2)))).toBe(40e6);
  });

  test("replaces nothing unless told to", async () => {
    const store = open();
    await expect(store.put(named(1), megabytes(2))).rejects.toThrow(`${store.locate(named(1))} exists already`);
    expect(await sizeOf(store.open(named(1)))).toBe(1e6);
    await store.put(named(1), megabytes(2), { replace: true });
    expect(await sizeOf(store.open(named(1)))).toBe(2e6);
  });

  test("has nothing of what broke, and what was there before", async () => {
    const store = open(), before = await store.list();
    for (const size of [0, 1, 30]) await expect(store.put(named(3), megabytes(size, { breaks: true }))).rejects.toThrow("the server broke off");
    await expect(store.put(named(1), megabytes(20, { breaks: true }), { replace: true })).rejects.toThrow("the server broke off");
    expect(await store.list()).toEqual(before);
    expect(await sizeOf(store.open(named(1)))).toBe(2e6);
  });

  test("has what it doesn't read to its end stop: a backup is made while it is read", async () => {
    const store = open(), canceled = Promise.withResolvers<void>();
    await expect(store.put(named(1), megabytes(Infinity, { cancel: canceled.resolve }))).rejects.toThrow("exists already");
    await canceled.promise;
  });

  test("says what isn't there, and forgets what it is told to", async () => {
    const store = open();
    await expect((async () => sizeOf(store.open(named(9))))()).rejects.toThrow(`there is no backup ${store.locate(named(9))}`);
    await expect(store.remove(named(9))).rejects.toThrow("there is no backup");
    await store.remove(named(2));
    expect((await store.list()).map(({ name }) => name)).toEqual([named(1)]);
  });
});

test("a directory takes a backup in spite of what a crash left of one of that name, and of one that is being made", async () => {
  const path = join(directory, "twice"), store = directoryStore(path), slow = Promise.withResolvers<void>(), begun = Promise.withResolvers<void>();
  mkdirSync(path);
  writeFileSync(join(path, `.${named(1)}.partial`), "left");
  const first = store.put(named(1), new ReadableStream({
    async pull(controller) {
      begun.resolve();
      await slow.promise;
      controller.enqueue(Buffer.from("the first"));
      controller.close();
    },
  }));
  await begun.promise;
  expect(await store.put(named(1), megabytes(1))).toBe(1e6);
  slow.resolve();
  await expect(first).rejects.toThrow("exists already");
  expect(await sizeOf(store.open(named(1)))).toBe(1e6);
  for (const name of readdirSync(path)) utimesSync(join(path, name), 0, 0);
  await store.put(named(2), megabytes(1));
  expect(readdirSync(path).sort()).toEqual([named(1), named(2)]);
});

test("a place that can be none is told of, and what was to go there stops", async () => {
  writeFileSync(join(directory, "file"), "");
  for (const [path, name] of [[join(directory, "file/below"), named(1)], [join(directory, "file"), named(1)], [directory, "x".repeat(300)]] as const) {
    const canceled = Promise.withResolvers<void>();
    await expect(directoryStore(path).put(name, megabytes(Infinity, { cancel: canceled.resolve }))).rejects.toThrow(/can't be written \(E[A-Z]+\): .*choose another place/);
    await canceled.promise;
  }
});

test("a directory that hangs is given up, and nothing more is begun there until it goes on", async () => {
  const path = join(directory, "hanging"), store = directoryStore(path, { patienceMs: 500 }), silent = `${path} has not answered for 0.5 seconds`;
  mkdirSync(path);
  const canceled = Promise.withResolvers<void>();
  const never = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => undefined), cancel: () => canceled.resolve() });
  await expect(store.put(named(2), never)).rejects.toThrow(silent);
  await canceled.promise;
  // On a busy disk an attempt may be given up too, and come true later.
  await eventually(() => store.put(named(3), megabytes(1), { replace: true }));
  await eventually(async () => expect((await store.list()).map(({ name }) => name)).toEqual([named(3)]));
  await eventually(() => expect(readdirSync(path)).toEqual([named(3)]));
});

test("a directory's backups are for root alone, and a full disk leaves those that were there", async () => {
  const path = join(directory, "small");
  mkdirSync(path);
  expect(Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", path]).exitCode).toBe(0);
  try {
    const store = directoryStore(path);
    await store.put(named(1), megabytes(1));
    expect(statSync(join(path, named(1))).mode & 0o777).toBe(0o600);
    await expect(store.put(named(2), megabytes(5))).rejects.toThrow(`there is no room for ${path}/${named(2)}`);
    expect(readdirSync(path)).toEqual([named(1)]);
    expect(await sizeOf(store.open(named(1)))).toBe(1e6);
  } finally {
    expect(Bun.spawnSync(["umount", path]).exitCode).toBe(0);
  }
});

describe("what is wrong with a bucket is said in a sentence", () => {
  const cases: [string, () => BackupStore, string][] = [
    ["none of that name", () => inBucket({ bucket: "nowhere" }), "there is no bucket for s3://nowhere/"],
    ["an unknown access key", () => inBucket({ accessKey: "NOBODY" }), "does not know the access key: see --backup-s3-access-key"],
    ["no credentials", () => s3Store({ endpoint: s3.endpoint, bucket: s3.bucket, region: "us-east-1", folder: "", insecure: true }), "S3 needs credentials"],
    ["nobody listens", () => inBucket({ endpoint: "127.0.0.1:1" }), "could not be reached at 127.0.0.1:1"],
  ];
  test.each(cases)("%s", async (_what, open, sentence) => {
    await expect(open().list()).rejects.toThrow(sentence);
    await expect(open().put(named(1), megabytes(1))).rejects.toThrow(sentence);
  });

  test("a server that says nothing", async () => {
    using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
    const store = s3Store({ ...s3, endpoint: `127.0.0.1:${silent.port}`, region: "us-east-1", folder: "", insecure: true }, { patienceMs: 200 });
    const canceled = Promise.withResolvers<void>();
    for (const ask of [() => store.list(), () => store.put(named(1), megabytes(Infinity, { cancel: canceled.resolve }), { replace: true }), () => sizeOf(store.open(named(1)))]) await expect(ask()).rejects.toThrow(/^127\.0\.0\.1:\d+ has not answered for 0.2 seconds/);
    await canceled.promise;
  });

  test("a certificate of a CA that nobody knows", async () => {
    const withTls = await startS3Server({ tls: true });
    try {
      await expect(inBucket({ ...withTls, insecure: false }).list()).rejects.toThrow(`the certificate of ${withTls.endpoint} can't be trusted (DEPTH_ZERO_SELF_SIGNED_CERT): name its CA with --backup-s3-endpoint-ca`);
    } finally {
      withTls.dispose();
    }
  });
});
