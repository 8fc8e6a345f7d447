import { afterAll, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { TestEtcd } from "../../../test/support/etcd.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { startRelay } from "../../../test/support/tcp-relay.ts";
import { writeFileAtomic } from "../../base/files.ts";
import { type Clock, systemClock } from "../../base/clock.ts";
import { createMetrics } from "../../base/metrics.ts";
import { parseEndpoints } from "../../storage/etcd/endpoints.ts";
import { EtcdClient } from "../../storage/etcd/etcd-client.ts";
import { everything, fromKey } from "../../storage/etcd/messages.ts";
import { sealedBy } from "../../storage/sealed/envelope.ts";
import type { StorageError } from "../../storage/storage.ts";
import { type Datastore, openDatastore } from "../datastore/datastore.ts";
import { migrateToFile } from "../datastore/migrate.ts";
import { type EncryptionOptions, formatConfig, noEncryption, parseConfig, planAction } from "./config.ts";
import { SharedConfig } from "./shared-config.ts";

const etcd = await TestEtcd.start();
const root = mkdtempSync(join(tmpdir(), "skiff-keys-"));
const running: (() => Promise<void>)[] = [];
afterAll(async () => {
  await etcd[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(async () => {
  await Promise.all(running.splice(0).map((stop) => stop()));
  await etcd.wipe();
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const secret = (name: string): string => `/registry/core/secrets/default/${name}`, configmap = (name: string): string => `/registry/core/configmaps/default/${name}`;
let count = 0;

interface Server extends Datastore {
  keyFile: string;
  read(key: string): Promise<string | undefined>;
  stop(): Promise<void>;
}

/** A server: `keyFile` is of an earlier one to start that again. */
async function start({ keyFile = join(root, String(++count), "encryption-config.json"), leads = false, url = etcd.urls[0]!, encryption = { enable: false, resources: ["secrets"] }, clusterKey = "a CA's key" }: { keyFile?: string; leads?: boolean; url?: string; encryption?: EncryptionOptions; clusterKey?: string } = {}): Promise<Server> {
  const store = await openDatastore({ encryptionFile: keyFile, clusterKey, clock: systemClock, databaseFile: join(root, "none"), onFatal: () => undefined, metrics: createMetrics(), options: { etcd: { endpoints: parseEndpoints(url) }, maxBytes: 0, eventTtlMs: 0, encryption } });
  const over = new AbortController(), leading = leads ? store.encryption.run(over.signal) : undefined;
  const stop = async (): Promise<void> => {
    over.abort();
    await leading;
    await store.storage.close();
  };
  running.push(stop);
  return { ...store, keyFile, stop, read: async (key) => (await store.storage.get(key).then((stored) => stored && new TextDecoder().decode(stored.value))) };
}

/** What lies in etcd. */
async function stored(): Promise<Map<string, Uint8Array>> {
  const client = new EtcdClient(etcd.clientOptions), { kvs = [] } = await client.call("Range", { ...everything }, { repeatable: true });
  client.close();
  return new Map(kvs.map(({ key, value = new Uint8Array() }) => [fromKey(key), value]));
}
const sealers = async (): Promise<(string | undefined)[]> => [...new Set([...await stored()].filter(([key]) => key.startsWith("/registry/core/secrets/")).map(([, value]) => sealedBy(value)))];
const finished = (...servers: Server[]): Promise<void> => eventually(() => {
  for (const { encryption: { status } } of servers) expect(status.stage).toBe("finished");
}, { timeout: 20_000 });
const keyNames = ({ encryption: { status } }: Server): string[] => status.keys.map(({ name }) => name);

test("a change on one server holds on all at once; keys lie in no plain place but each server's own file", async () => {
  const a = await start({ leads: true }), b = await start();
  for (let n = 0; n < 100; n++) await a.storage.create(secret(`old-${n}`), bytes("hidden"));
  expect(existsSync(b.keyFile)).toBe(false);
  await b.encryption.change("enable");
  await a.storage.create(secret("a"), bytes("hidden"));
  await b.storage.create(secret("b"), bytes("hidden"));
  await finished(a, b);
  expect(await sealers()).toEqual(keyNames(a));
  const key = parseConfig(readFileSync(a.keyFile, "utf8")).keys[0]!.secret;
  expect(readFileSync(b.keyFile, "utf8")).toBe(readFileSync(a.keyFile, "utf8"));
  const content = Buffer.concat([...(await stored()).values()]);
  for (const plain of ["hidden", Buffer.from(key).toString("base64"), Buffer.from(key)]) expect(content.includes(plain)).toBe(false);

  const before = keyNames(a);
  await Promise.all([a.encryption.change("rotate-keys"), b.encryption.change("rotate-keys")]);
  await finished(a, b);
  expect(keyNames(b)).toHaveLength(1);
  expect(keyNames(b)).not.toEqual(before);
  expect(await sealers()).toEqual(keyNames(b));
  for (const server of [a, b]) for (const name of ["old-0", "old-99", "a", "b"]) expect(await server.read(secret(name))).toBe("hidden");
  await a.encryption.change("disable");
  await finished(a, b);
  expect(await sealers()).toEqual([undefined]);
});

test("writers and readers on both sides never notice", async () => {
  const a = await start({ leads: true }), b = await start();
  let over = false;
  /** As a client does, to whom it is nothing that the leader has just written the same anew. */
  const put = async (server: Server, name: string, value: string): Promise<void> => {
    const { revision } = (await server.storage.get(secret(name)))!;
    await server.storage.update(secret(name), revision, bytes(value)).catch((error: StorageError) => {
      if (error.code !== "conflict") throw error;
      return put(server, name, value);
    });
  };
  const use = async (own: Server, other: Server, name: string): Promise<number> => {
    await own.storage.create(secret(name), bytes("0"));
    let writes = 0;
    for (; !over; writes++) {
      await put(own, name, String(writes));
      expect(await other.read(secret(name))).toBe(String(writes));
    }
    return writes;
  };
  const users = ["x", "y", "z"].flatMap((name) => [use(a, b, `a-${name}`), use(b, a, `b-${name}`)]);
  for (const action of ["enable", "rotate-keys", "rotate-keys", "disable", "enable", "rotate-keys"] as const) {
    await (action === "disable" ? a : b).encryption.change(action);
    await finished(a, b);
  }
  over = true;
  expect((await Promise.all(users)).every((writes) => writes > 0)).toBe(true);
  expect(await sealers()).toEqual(keyNames(a));
});

test("a server that was cut off writes by no key that was dropped meanwhile", async () => {
  const relay = await startRelay(() => Number(new URL(etcd.urls[0]!).port));
  running.push(() => relay.close());
  const a = await start({ leads: true }), cut = await start({ url: `http://127.0.0.1:${relay.port}` });
  await a.encryption.change("enable");
  await finished(a, cut);
  await cut.storage.create(secret("before"), bytes("x"));
  relay.freeze();
  const late = ["one", "two", "three"].map((name) => cut.storage.create(secret(name), bytes(name)));
  const [dropped] = keyNames(a);
  await a.encryption.change("rotate-keys");
  await finished(a);
  expect(keyNames(cut)).toEqual([dropped!]);
  relay.thaw();
  relay.cut();
  await Promise.all(late);
  expect(await sealers()).toEqual(keyNames(a));
  expect(keyNames(cut)).toEqual(keyNames(a));
  expect(await Promise.all(["before", "one", "three"].map((name) => cut.read(secret(name))))).toEqual(["x", "one", "three"]);
});

test("a server that was off takes the keys before it reads or writes; the last one's file has them when no etcd is left", async () => {
  const a = await start({ leads: true }), b = await start();
  await a.encryption.change("enable");
  await a.storage.create(secret("a"), bytes("x"));
  await finished(a, b);
  await b.stop();
  await a.encryption.change("rotate-keys");
  await finished(a);
  await a.encryption.change("rotate-keys");
  await finished(a);
  const [key] = keyNames(a);
  await a.stop();
  const back = await start({ keyFile: b.keyFile });
  expect(await back.read(secret("a"))).toBe("x");
  await back.storage.create(secret("b"), bytes("y"));
  expect(await sealers()).toEqual([key]);
  expect(parseConfig(readFileSync(b.keyFile, "utf8")).keys.map(({ name }) => name)).toEqual([key!]);
});

test("who starts amid a change goes on with it when the one that began it is gone", async () => {
  const a = await start(), b = await start();
  for (let n = 0; n < 100; n++) await a.storage.create(secret(`s${n}`), bytes("x"));
  await a.encryption.change("enable");
  await a.stop();
  expect(await b.read(secret("s0"))).toBe("x");
  expect(await sealers()).toEqual([undefined]);
  const c = await start({ leads: true });
  await finished(b, c);
  expect(await sealers()).toEqual(keyNames(c));
});

test("options of one server enable it for all, and add to what others' do", async () => {
  const a = await start({ leads: true });
  await a.storage.create(secret("a"), bytes("x"));
  const b = await start({ encryption: { enable: true, resources: ["secrets", "configmaps"] } });
  await a.storage.create(configmap("a"), bytes("x"));
  await finished(a, b);
  expect(sealedBy((await stored()).get(configmap("a"))!)).toBe(keyNames(b)[0]!);
  const revision = b.encryption.configs.revision;
  const c = await start({ encryption: { enable: true, resources: ["secrets"] } }), d = await start();
  expect([c, d].map(({ encryption }) => encryption.configs.revision)).toEqual([revision, revision]);
  expect(d.encryption.status.resources).toEqual(["secrets", "configmaps"]);
});

test("keys that a server had before there were others are all servers' from then on", async () => {
  const keyFile = join(root, "own", "encryption-config.json");
  const config = { ...planAction(noEncryption, "enable", 0), pending: false };
  writeFileAtomic(keyFile, formatConfig(config));
  const a = await start({ keyFile }), b = await start();
  await b.storage.create(secret("b"), bytes("x"));
  expect(await sealers()).toEqual([config.keys[0]!.name]);
  expect(await a.read(secret("b"))).toBe("x");
});

test("a server that was off when they changed has them again when the cluster moves back into its file", async () => {
  const a = await start({ leads: true }), keyFile = join(root, "moving", "cred/encryption-config.json"), databaseFile = join(root, "moving", "db/state.db");
  await a.encryption.change("enable");
  await a.storage.create(secret("a"), bytes("x"));
  await finished(a);
  await a.stop();
  mkdirSync(dirname(databaseFile), { recursive: true });
  const clock: Clock = { ...systemClock, sleep: async () => undefined }, moving = { databaseFile, etcd: { endpoints: parseEndpoints(etcd.urls[0]!) }, clock };
  await expect(migrateToFile({ ...moving, onFence: new SharedConfig({ file: keyFile, clusterKey: "another" }).onFence })).rejects.toThrow("are of servers with another CA");
  expect([keyFile, databaseFile].filter((file) => existsSync(file))).toEqual([]);
  await migrateToFile({ ...moving, onFence: new SharedConfig({ file: keyFile, clusterKey: "a CA's key" }).onFence });
  const store = await openDatastore({ encryptionFile: keyFile, clusterKey: "", clock: systemClock, databaseFile, onFatal: () => undefined, metrics: createMetrics(), options: { maxBytes: 2 ** 30, eventTtlMs: 0, encryption: { enable: false, resources: ["secrets"] } } });
  expect((await store.storage.get(secret("a")))?.value).toEqual(bytes("x"));
  await store.storage.close();
});

test("a server of another cluster, or without the keys, is told so and changes nothing", async () => {
  const a = await start();
  await a.encryption.change("enable");
  await a.storage.create(secret("a"), bytes("x"));
  const before = await stored();
  await expect(start({ clusterKey: "another" })).rejects.toThrow("are of servers with another CA");
  expect(await stored()).toEqual(before);
});
