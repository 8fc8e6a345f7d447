import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { TestServers } from "../support/servers.ts";

setDefaultTimeout(240_000);

const servers = await TestServers.create({ ownNetwork: true });
afterAll(() => servers[Symbol.asyncDispose]());

const revisionOf = async (i: number, name: string): Promise<number> => Number((await servers.kubectl(i).get<{ metadata: { resourceVersion: string } }>("configmap", name)).metadata.resourceVersion);
const backup = join(servers.dataDir(0), "../backup.tar");

test("one server's cluster becomes one of several: its state moves into etcd", async () => {
  await servers.start(0);
  await servers.createConfigMap(0, "from-the-file");
  const before = await revisionOf(0, "from-the-file");
  await servers.signal(0, "SIGTERM");
  await servers.start(0, "--cluster-init", "--service-node-port-range", "31000-31009");
  expect(await servers.configMaps(0)).toEqual(["from-the-file"]);
  await servers.createConfigMap(0, "in-etcd");
  expect(await revisionOf(0, "in-etcd")).toBeGreaterThan(before);
  await servers.start(1, ...servers.joining());
  expect(await servers.configMaps(1)).toEqual(["from-the-file", "in-etcd"]);
  expect(existsSync(join(servers.dataDir(0), "server/db/state.db"))).toBe(false);
  expect(readdirSync(join(servers.dataDir(0), "server/db")).filter((name) => name.startsWith("moved-to-etcd"))).toHaveLength(1);
});

test("a backup of several servers is restored on one, and the others join again", async () => {
  expect(await servers.run("backup", "--output", backup, "--data-dir", servers.dataDir(0))).toMatchObject({ exitCode: 0 });
  await servers.createConfigMap(1, "after-the-backup");
  const before = await revisionOf(1, "after-the-backup");
  expect(await servers.run("restore", backup, "--force", "--data-dir", servers.dataDir(0))).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("a server runs with") });
  for (const i of [1, 0]) await servers.signal(i, "SIGTERM");
  expect(await servers.run("restore", backup, "--data-dir", servers.dataDir(0))).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("has a cluster already") });
  expect(await servers.run("restore", backup, "--force", "--data-dir", servers.dataDir(0))).toMatchObject({ exitCode: 0 });
  await servers.start(0, "--cluster-init");
  expect(await servers.configMaps(0)).toEqual(["from-the-file", "in-etcd"]);
  // What the servers had alike is in the backup, too.
  await servers.kubectl(0)("create", "service", "nodeport", "after-the-restore", "--tcp=80");
  expect((await servers.kubectl(0).get("service", "after-the-restore")).spec.ports[0].nodePort).toBeWithin(31_000, 31_010);
  await servers.createConfigMap(0, "after-the-restore");
  expect(await revisionOf(0, "after-the-restore")).toBeGreaterThan(before);
  rmSync(servers.dataDir(1), { recursive: true });
  // What was restored says that the other runs; that ends by itself.
  await eventually(() => servers.start(1, ...servers.joining()), { interval: 2000 });
  expect(await servers.configMaps(1)).toEqual(["after-the-restore", "from-the-file", "in-etcd"]);
});
