import { afterAll, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "../../base/clock.ts";
import { writeFileAtomic } from "../../base/files.ts";
import { EtcdClient } from "../../storage/etcd/etcd-client.ts";
import { EtcdStorage } from "../../storage/etcd/etcd-storage.ts";
import { fenceName } from "../../storage/etcd/fence.ts";
import { everything, toKey } from "../../storage/etcd/messages.ts";
import { TestEtcd } from "../../../test/support/etcd.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { openForServers } from "./sealed-files.ts";
import { SharedFiles } from "./shared-files.ts";

const etcd = await TestEtcd.start();
const root = mkdtempSync(join(tmpdir(), "skiff-shared-"));
afterAll(async () => {
  await etcd[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => etcd.wipe());

let count = 0;

/** A server's directory, and what it has made for itself by its first start. */
function server({ token, clock = systemClock }: { token?: string; clock?: Clock } = {}) {
  const directory = join(root, String(++count)), file = (name: string): string => join(directory, name);
  mkdirSync(directory, { recursive: true });
  const shared = new SharedFiles({ etcd: etcd.clientOptions, directory, databaseFile: file("db/state.db"), token, clock });
  const make = (mark: string, secret: string): void => {
    mkdirSync(file("tls"), { recursive: true });
    for (const name of ["server-ca.key", "server-ca.crt", "client-ca.key", "client-ca.crt", "front-proxy-ca.key", "front-proxy-ca.crt", "service-account.key"]) if (!existsSync(file(`tls/${name}`))) writeFileSync(file(`tls/${name}`), `${name} of ${mark}`);
    if (!existsSync(file("token"))) writeFileSync(file("token"), `K10${"ab".repeat(32)}::server:${secret}\n`);
  };
  const files = (): Record<string, string> => Object.fromEntries((readdirSync(directory, { recursive: true }) as string[]).filter((name) => /^(tls\/[^/]+|token|cred\/encryption.*)$/.test(name)).map((name) => [name, readFileSync(file(name), "utf8")]));
  /** As a start does. */
  const start = async (mark: string, secret = token ?? "secret of nobody"): Promise<void> => {
    await shared.take();
    do make(mark, secret); while (await shared.publish());
  };
  return { shared, directory, file, files, make, start };
}

async function contentOfEtcd(): Promise<string> {
  const client = new EtcdClient(etcd.clientOptions);
  const { kvs = [] } = await client.call("Range", { ...everything }, { repeatable: true });
  client.close();
  return kvs.map(({ value }) => Buffer.from(value ?? []).toString()).join("\n");
}

test("the first server's keys become all others'; in etcd they can't be read", async () => {
  const first = server({ token: "secret-1" }), second = server({ token: `K10${"ab".repeat(32)}::server:secret-1` });
  await first.start("first");
  await second.start("second");
  expect(second.files()).toEqual(first.files());
  expect(first.files()["tls/server-ca.key"]).toBe("server-ca.key of first");
  const content = await contentOfEtcd();
  for (const text of ["secret-1", "of first", "server-ca"]) expect(content).not.toContain(text);
  for (const { shared } of [first, second]) shared.close();
});

test("keys that encrypt what the first server brings along are there as soon as others can join", async () => {
  const first = server({ token: "secret-1" }), second = server({ token: "secret-1" });
  writeFileAtomic(first.file("cred/encryption-config.json"), "own keys");
  await first.start("first");
  await second.start("second");
  // Each has them in a file once etcd is open.
  expect(second.files()["cred/encryption-config.json"]).toBeUndefined();
  const heard: (string | undefined)[] = [];
  const storage = await EtcdStorage.open({ ...etcd.clientOptions, onFence: (value) => heard.push(value && Buffer.from(openForServers(value, "server-ca.key of first")!).toString()) });
  expect(heard).toEqual(["own keys"]);
  await storage.close();

  // They have been changed since; a file from before counts for nothing, were all else to be written anew.
  const client = new EtcdClient(etcd.clientOptions);
  await client.call("Txn", { success: [{ requestPut: { key: toKey(fenceName), value: Buffer.from("newer") } }, { requestDeleteRange: { key: toKey("/skiff/bootstrap") } }] }, { repeatable: true });
  const again = server({ token: "secret-1" });
  writeFileAtomic(again.file("cred/encryption-config.json"), "own keys");
  await again.start("first");
  const { kvs } = await client.call("Range", { key: toKey(fenceName) }, { repeatable: true });
  expect(Buffer.from(kvs![0]!.value!).toString()).toBe("newer");
  client.close();
  for (const { shared } of [first, second, again]) shared.close();
});

test("of servers that start at once one wins, and the others take what it has", async () => {
  const servers = ["a", "b", "c"].map((mark) => ({ mark, ...server({ token: "secret-1" }) }));
  await Promise.all(servers.map(({ start, mark }) => start(mark)));
  const [one, ...others] = servers.map(({ files }) => files());
  for (const other of others) expect(other).toEqual(one!);
  for (const { shared } of servers) shared.close();
});

test.each([["no token", undefined, "is in that etcd already: to join it give its token"], ["a wrong token", "secret-2", "--token is not that of the cluster in etcd"]])("with %s nothing is taken and nothing changed", async (_, token, sentence) => {
  const first = server({ token: "secret-1" }), second = server(token ? { token } : {});
  await first.start("first");
  const before = await contentOfEtcd();
  await expect(second.start("second")).rejects.toThrow(sentence);
  expect(readdirSync(second.directory)).toEqual([]);
  expect(await contentOfEtcd()).toBe(before);
  for (const { shared } of [first, second]) shared.close();
});

test("what another program keeps in that etcd is told of, and left alone", async () => {
  const client = new EtcdClient(etcd.clientOptions), first = server({ token: "secret-1" });
  await client.call("Txn", { success: [{ requestPut: { key: Buffer.from("/registry/pods/default/web"), value: Buffer.from("k8s") } }] }, { repeatable: true });
  client.close();
  await expect(first.start("first")).rejects.toThrow("holds 1 keys under /registry/ that Skiff has not written");
  expect([readdirSync(first.directory), await contentOfEtcd()]).toEqual([[], "k8s"]);
  first.shared.close();
});

test("a server with a cluster of its own doesn't lose it", async () => {
  const first = server({ token: "secret-1" }), second = server({ token: "secret-1" });
  second.make("second", "secret-1");
  mkdirSync(second.file("db"));
  writeFileSync(second.file("db/state.db"), "");
  await first.start("first");
  await expect(second.start("second")).rejects.toThrow("this server has a cluster of its own");
  expect(second.files()["tls/server-ca.key"]).toBe("server-ca.key of second");
  for (const { shared } of [first, second]) shared.close();
});

test("a cluster that is in a file too, after a restore or a move back into it, is not taken from etcd unasked", async () => {
  const first = server({ token: "secret-1" });
  await first.start("first");
  const before = first.files();
  mkdirSync(first.file("db"));
  writeFileSync(first.file("db/state.db"), "");
  const again = new SharedFiles({ etcd: etcd.clientOptions, directory: first.directory, databaseFile: first.file("db/state.db"), token: "secret-1", clock: systemClock });
  await expect(again.take()).rejects.toThrow("is in etcd and in");
  expect(first.files()).toEqual(before);
  for (const shared of [first.shared, again]) shared.close();
});

test("a change on one server gets to all that run, and to one that starts later, whatever token it had", async () => {
  const first = server({ token: "secret-1" }), second = server({ token: "secret-1" }), late = server({ token: "secret-1" });
  for (const { start } of [first, second, late]) await start("first");
  const stop = new AbortController();
  const running = [first, second].map(({ shared }) => shared.run(stop.signal));
  const rotated = first.files()["token"]!.replace("secret-1", "secret-2");
  writeFileAtomic(first.file("token"), rotated);
  await eventually(() => expect(second.files()["token"]).toBe(rotated));
  stop.abort();
  await Promise.all(running);

  await late.start("late");
  expect(late.files()).toEqual(first.files());
  // Changed while it was off: nobody else has changed it since.
  writeFileAtomic(late.file("token"), rotated.replace("secret-2", "secret-3"));
  await late.start("late");
  const newest = server({ token: "secret-3" });
  await newest.start("newest");
  expect(newest.files()).toEqual(late.files());
  for (const { shared } of [first, second, late, newest]) shared.close();
});

test("what was compacted since the last change doesn't keep changes from being followed", async () => {
  let again = 0;
  const clock: Clock = { ...systemClock, sleep: (ms, signal) => (again++, systemClock.sleep(Math.min(ms, 10), signal)) };
  const first = server({ token: "secret-1" }), second = server({ token: "secret-1", clock });
  await first.start("first");
  await second.start("second");
  const client = new EtcdClient(etcd.clientOptions), other = { success: [{ requestPut: { key: Buffer.from("/registry/other"), value: Buffer.from("other") } }] };
  await client.call("Txn", other, { repeatable: true });
  const { header } = await client.call("Txn", other, { repeatable: true });
  await client.call("Compact", { revision: header!.revision! }, { repeatable: true });
  const stop = new AbortController(), running = [first, second].map(({ shared }) => shared.run(stop.signal));
  // Time for many turns, were it asked again and again.
  for (let n = 0; n < 200; n++) await client.call("Txn", other, { repeatable: true });
  client.close();
  const rotated = first.files()["token"]!.replace("secret-1", "secret-2");
  writeFileAtomic(first.file("token"), rotated);
  await eventually(() => expect(second.files()["token"]).toBe(rotated));
  expect(again).toBeLessThanOrEqual(1);
  stop.abort();
  await Promise.all(running);
  for (const { shared } of [first, second]) shared.close();
});
