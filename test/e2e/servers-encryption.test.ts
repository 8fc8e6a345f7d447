import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { EtcdClient } from "../../src/storage/etcd/etcd-client.ts";
import { everything, fromKey } from "../../src/storage/etcd/messages.ts";
import { sealedBy } from "../../src/storage/sealed/envelope.ts";
import { TestEtcd } from "../support/etcd.ts";
import { eventually } from "../support/eventually.ts";
import { TestServers } from "../support/servers.ts";

setDefaultTimeout(240_000);

const etcd = await TestEtcd.start();
const servers = await TestServers.create({ flags: ["--datastore-endpoint", etcd.urls.join(), "--token", "one-token-for-all"] });
beforeAll(() => Promise.all([0, 1].map((i) => servers.start(i))).then(() => undefined));
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
  await etcd[Symbol.asyncDispose]();
});

const word = "correct-horse-battery-staple", encoded = Buffer.from(word).toString("base64");
const many = 400;

const encryptIn = (cluster: TestServers) => async (i: number, ...args: string[]): Promise<string> => {
  const { exitCode, stdout, stderr } = await cluster.run("secrets-encrypt", ...args, "--data-dir", cluster.dataDir(i));
  if (exitCode !== 0) throw new Error(stderr);
  return stdout;
};
const encrypt = encryptIn(servers);
const keysIn = (status: string): string[] => [...status.matchAll(/aes-\S+/g)].map(([name]) => name);
const keyFile = (i: number, cluster = servers): string => join(cluster.dataDir(i), "server/cred/encryption-config.json");

const createSecret = (i: number, name: string, cluster = servers): Promise<string> => cluster.kubectl(i)("create", "secret", "generic", name, `--from-literal=word=${word}`);
/** The names of the test's Secrets, whose content server `i` tells as it was. */
async function secretsOf(i: number, cluster = servers): Promise<string[]> {
  const found = await cluster.kubectl(i).items("secrets", "-n", "default");
  return found.filter(({ data }) => data?.word === encoded).map(({ metadata }) => metadata.name as string);
}

/** What `etcdctl get --prefix ""` shows. */
async function stored(): Promise<[key: string, value: Uint8Array][]> {
  const client = new EtcdClient(etcd.clientOptions), { kvs = [] } = await client.call("Range", { ...everything }, { repeatable: true });
  client.close();
  return kvs.map(({ key, value = new Uint8Array() }) => [fromKey(key), value]);
}
const inPlain = async (): Promise<string[]> => (await stored()).filter(([, value]) => Buffer.from(value).includes(encoded)).map(([key]) => key);
/** The keys that Secrets are encrypted with. */
const sealers = async (): Promise<(string | undefined)[]> => [...new Set((await stored()).filter(([key]) => key.startsWith("/registry/core/secrets/")).map(([, value]) => sealedBy(value)))];

test("enabled on one server while both serve: nothing lies in plain in etcd, and both read all", async () => {
  await servers.kubectl(0).apply(...Array.from({ length: many }, (_, n) => ({ apiVersion: "v1", kind: "Secret", metadata: { name: `s-${n}`, namespace: "default" }, data: { word: encoded } })));
  expect(await inPlain()).toHaveLength(many);
  expect(await encrypt(0, "status")).toBe("Encryption   disabled\nOn disk      up to date\n");
  expect(await encrypt(1, "enable")).toMatch(/^Encryption   enabled \(secrets\)\nOn disk      up to date\nKey          aes-\S+  AES-256-GCM  encrypts  made \S+\n$/);
  await createSecret(0, "by-0");
  await createSecret(1, "by-1");
  expect(await inPlain()).toEqual([]);
  const status = await encrypt(0, "status");
  expect(await sealers()).toEqual(keysIn(status));
  expect(await encrypt(1, "status")).toBe(status);
  for (const i of [0, 1]) {
    expect(await secretsOf(i)).toHaveLength(many + 2);
    expect(statSync(keyFile(i)).mode & 0o777).toBe(0o600);
  }
  expect(readFileSync(join(etcd.directory, "m0/member/snap/db")).includes(encoded)).toBe(false);
  for (const { secret } of (JSON.parse(readFileSync(keyFile(0), "utf8")) as { keys: { secret: string }[] }).keys) expect((await stored()).some(([, value]) => Buffer.from(value).includes(secret) || Buffer.from(value).includes(Buffer.from(secret, "base64")))).toBe(false);
});

test("the leader is killed amid rewriting: the other goes on with it, and what comes back uses no old key", async () => {
  const leader = await servers.leader(0), other = 1 - leader, [before] = keysIn(await encrypt(other, "status"));
  const rotating = encrypt(leader, "rotate-keys").catch(() => undefined);
  await eventually(async () => expect((await sealers()).length).toBe(2), { interval: 5 });
  await servers.signal(leader, "SIGKILL");
  await rotating;
  const amid = await encrypt(other, "status");
  expect(amid).toContain("being brought up to date");
  expect(keysIn(amid)).toHaveLength(2);
  await createSecret(other, "amid");
  await eventually(async () => expect(await encrypt(other, "status")).toContain("On disk      up to date"), { interval: 500 });
  const [after, ...others] = keysIn(await encrypt(other, "status"));
  expect([after === before, others]).toEqual([false, []]);
  expect(await sealers()).toEqual([after]);
  expect(await secretsOf(other)).toHaveLength(many + 3);

  // Off while they change once more.
  expect(readFileSync(keyFile(leader), "utf8")).toContain(before!);
  const again = keysIn(await encrypt(other, "rotate-keys"));
  expect(again).not.toContain(after!);
  await servers.start(leader);
  await createSecret(leader, "back");
  expect(await sealers()).toEqual(again);
  expect(await secretsOf(leader)).toHaveLength(many + 4);
  await eventually(() => expect(readFileSync(keyFile(leader), "utf8")).toBe(readFileSync(keyFile(other), "utf8")));
});

test("a server that hangs while keys change is named until it is gone, and writes by the new ones when it comes back", async () => {
  const hung = 1 - await servers.leader(0), other = 1 - hung;
  await servers.signal(hung, "SIGSTOP");
  const named = new RegExp(`On disk      up to date\n(.*\n)*Unaware      server-${hung}: `);
  let told = await encrypt(other, "rotate-keys", "--timeout", "3");
  // To write everything anew may take longer.
  await eventually(async () => {
    if (!named.test(told)) told = await encrypt(other, "status");
    expect(told).toMatch(named);
  }, { interval: 200 });
  await servers.signal(hung, "SIGCONT");
  await createSecret(hung, "after-the-hang");
  await eventually(async () => expect(await encrypt(other, "status")).not.toContain("Unaware"), { interval: 200 });
  expect(await sealers()).toEqual(keysIn(await encrypt(hung, "status")));
});

test("disabled from the other server; a server that joins with the flag enables it for all, and of more", async () => {
  expect(await encrypt(0, "disable")).toContain("Encryption   disabled\nOn disk      up to date");
  expect(await inPlain()).toHaveLength(many + 5);
  await servers.start(2, "--secrets-encryption", "--secrets-encryption-resources", "secrets,configmaps");
  await servers.createConfigMap(0, "hidden");
  await eventually(async () => expect(await encrypt(1, "status")).toContain("Encryption   enabled (secrets, configmaps)\nOn disk      up to date"), { interval: 200 });
  expect(await inPlain()).toEqual([]);
  expect((await stored()).filter(([key, value]) => key.includes("/configmaps/") && sealedBy(value) === undefined)).toEqual([]);
  for (const i of [0, 1, 2]) {
    expect(await secretsOf(i)).toHaveLength(many + 5);
    expect(await servers.configMaps(i)).toContain("hidden");
  }
});

test("a server that encrypts brings its keys along when others join, with an etcd beside each; while one is off its disk is not called up to date", async () => {
  await using own = await TestServers.create({ ownNetwork: true });
  const ask = encryptIn(own), inPlainOn = (): number[] => [0, 1, 2].filter((i) => readFileSync(join(own.dataDir(i), "server/db/etcd/member/snap/db")).includes(encoded));
  await own.start(0);
  await createSecret(0, "a", own);
  const enabled = await ask(0, "enable");
  await own.signal(0, "SIGTERM");
  await own.start(0, "--cluster-init");
  await own.start(1, ...own.joining());
  await own.start(2, ...own.joining());
  expect(await secretsOf(2, own)).toEqual(["a"]);
  expect(await ask(1, "status")).toBe(enabled);
  expect(await ask(1, "disable")).toContain("Encryption   disabled\nOn disk      up to date");
  await createSecret(2, "plain", own);
  expect(await ask(2, "enable")).toContain("Encryption   enabled (secrets)\nOn disk      up to date");
  expect(inPlainOn()).toEqual([]);
  await own.killMachine(2);
  const amid = await ask(0, "rotate-keys", "--timeout", "3");
  expect(amid).toContain("On disk      being brought up to date");
  expect(keysIn(amid)).toHaveLength(2);
  for (const i of [0, 1]) await eventually(async () => expect(await ask(i, "status")).toContain("Problem      the member server-2 of etcd can't be reached at https://"), { interval: 500 });
  await createSecret(1, "b", own);
  await own.start(2);
  await createSecret(2, "c", own);
  await eventually(async () => expect(await ask(2, "status")).toContain("On disk      up to date"), { timeout: 120_000, interval: 500 });
  expect(inPlainOn()).toEqual([]);
  for (const i of [0, 1, 2]) {
    expect(await secretsOf(i, own)).toEqual(["a", "b", "c", "plain"]);
    await eventually(() => expect(readFileSync(keyFile(i, own), "utf8")).toBe(readFileSync(keyFile(0, own), "utf8")));
  }
});
