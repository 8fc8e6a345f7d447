import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { createNodeNetwork } from "../support/node-network.ts";
import { TestServers } from "../support/servers.ts";

setDefaultTimeout(240_000);

const network = createNodeNetwork();
const servers = await TestServers.create({ network });
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
  network.dispose();
});

const write = (i: number, name: string): Promise<string> => servers.kubectl(i)("create", "configmap", name, "--from-literal=a=1");
const names = async (i: number): Promise<string[]> => (await servers.kubectl(i).items("configmaps")).map(({ metadata }) => metadata.name as string).filter((name) => name !== "kube-root-ca.crt");
const revisionOf = async (i: number, name: string): Promise<number> => Number((await servers.kubectl(i).get<{ metadata: { resourceVersion: string } }>("configmap", name)).metadata.resourceVersion);
const join1 = (): string[] => ["--server", servers.url(0), "--token", servers.token(0)];
const backup = join(servers.dataDir(0), "../backup.tar");

test("one server's cluster becomes one of several: its state moves into etcd", async () => {
  await servers.start(0);
  await write(0, "from-the-file");
  const before = await revisionOf(0, "from-the-file");
  await servers.signal(0, "SIGTERM");
  await servers.start(0, "--cluster-init");
  expect(await names(0)).toEqual(["from-the-file"]);
  await write(0, "in-etcd");
  expect(await revisionOf(0, "in-etcd")).toBeGreaterThan(before);
  await servers.start(1, ...join1());
  expect(await names(1)).toEqual(["from-the-file", "in-etcd"]);
  expect(existsSync(join(servers.dataDir(0), "server/db/state.db"))).toBe(false);
  expect(readdirSync(join(servers.dataDir(0), "server/db")).filter((name) => name.startsWith("moved-to-etcd"))).toHaveLength(1);
});

test("a backup of several servers is restored on one, and the others join again", async () => {
  expect(await servers.run("backup", "--output", backup, "--data-dir", servers.dataDir(0))).toMatchObject({ exitCode: 0 });
  await write(1, "after-the-backup");
  const before = await revisionOf(1, "after-the-backup");
  expect(await servers.run("restore", backup, "--force", "--data-dir", servers.dataDir(0))).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("a server runs with") });
  for (const i of [1, 0]) await servers.signal(i, "SIGTERM");
  expect(await servers.run("restore", backup, "--data-dir", servers.dataDir(0))).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("has a cluster already") });
  expect(await servers.run("restore", backup, "--force", "--data-dir", servers.dataDir(0))).toMatchObject({ exitCode: 0 });
  await servers.start(0, "--cluster-init");
  expect(await names(0)).toEqual(["from-the-file", "in-etcd"]);
  await write(0, "after-the-restore");
  expect(await revisionOf(0, "after-the-restore")).toBeGreaterThan(before);
  rmSync(servers.dataDir(1), { recursive: true });
  // What was restored says that the other runs; that ends by itself.
  await eventually(() => servers.start(1, ...join1()), { timeout: 60_000, interval: 2000 });
  expect(await names(1)).toEqual(["after-the-restore", "from-the-file", "in-etcd"]);
});
