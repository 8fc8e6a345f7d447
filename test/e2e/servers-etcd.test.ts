import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { outcomeOf } from "../support/running.ts";
import { TestServers } from "../support/servers.ts";
import { skiffExecutable } from "../support/skiff.ts";

setDefaultTimeout(240_000);

const servers = await TestServers.create({ ownNetwork: true });
afterAll(() => servers[Symbol.asyncDispose]());

const allThere = (i: number, which: number[]) => eventually(async () => expect(await servers.told(i)).toEqual(which.map((each) => servers.address(each))), { interval: 500 });

test("three servers, each with its etcd: all take writes, and each sees all", async () => {
  await servers.start(0, "--cluster-init", "--service-node-port-range", "31000-31009");
  await servers.start(1, ...servers.joining());
  await servers.start(2, "--server", servers.url(1), "--token", servers.token(1));
  for (const i of [0, 1, 2]) await servers.createConfigMap(i, `by-${i}`);
  for (const i of [0, 1, 2]) expect(await servers.configMaps(i)).toEqual(["by-0", "by-1", "by-2"]);
  await allThere(0, [0, 1, 2]);
});

test("what all servers have alike is the first one's, also on those that were told nothing", async () => {
  for (const i of [1, 2]) {
    await servers.kubectl(i)("create", "service", "nodeport", `by-${i}`, "--tcp=80");
    expect((await servers.kubectl(0).get("service", `by-${i}`)).spec.ports[0].nodePort).toBeWithin(31_000, 31_010);
  }
});

test("who may not join is told why in a sentence, and nothing is changed on either side", async () => {
  const { exitCode, stderr } = await servers.outcome(3, "--server", servers.url(0), "--token", "some-other-token");
  expect(exitCode).toBe(1);
  expect(stderr).toContain("doesn't take this server in: the token is not the server token of this cluster");
  expect((await servers.outcome(3, "--server", servers.url(0), "--token", `K10${"0".repeat(64)}::server:x`)).stderr).toContain("is not of the cluster that --token is for");
  expect((await servers.outcome(3, "--server", "https://192.168.73.99:6443", "--token", "some-other-token")).stderr).toContain("can't be reached");
  expect((await servers.outcome(3, ...servers.joining(), "--service-node-port-range", "30000-32767")).stderr).toContain("doesn't take this server in: --service-node-port-range 30000-32767 is not what the cluster's other servers have, 31000-31009: leave it out");
  const command = servers.command(3, ...servers.joining()), at = command.indexOf(skiffExecutable());
  expect((await outcomeOf([...command.slice(0, at), "env", "PATH=/nonexistent", ...command.slice(at)])).stderr).toContain("skiff: etcd is not installed: install the package etcd-server");
  expect(existsSync(join(servers.dataDir(3), "server/db/etcd"))).toBe(false);
  expect(existsSync(join(servers.dataDir(3), "server/tls/server-ca.key"))).toBe(false);
});

test("the machine of the leader loses its power: writes go on, and it comes back by itself", async () => {
  const leader = await servers.leader(0), other = (leader + 1) % 3, third = (leader + 2) % 3;
  await servers.killMachine(leader);
  await eventually(() => servers.createConfigMap(other, "while-away"), { interval: 500 });
  await eventually(async () => expect(await servers.leader(other)).not.toBe(leader), { interval: 500 });
  await allThere(third, [other, third].toSorted());
  await servers.start(leader);
  expect(await servers.configMaps(leader)).toContain("while-away");
  await allThere(leader, [0, 1, 2]);
});

test("etcd alone is killed: the server goes on with the others' and starts it again", async () => {
  const before = servers.memberPid(1)!;
  process.kill(before, "SIGKILL");
  await eventually(() => servers.createConfigMap(1, "without-own-etcd"), { interval: 500 });
  await eventually(() => {
    expect(servers.memberPid(1)).not.toBe(before);
    expect(existsSync(`/proc/${servers.memberPid(1)}`)).toBe(true);
  }, { interval: 200 });
});

test("a server whose disk is lost joins anew", async () => {
  await servers.killMachine(2);
  rmSync(servers.dataDir(2), { recursive: true });
  await eventually(async () => expect(await servers.told(0)).toEqual([servers.address(0), servers.address(1)]), { interval: 500 });
  await servers.start(2, ...servers.joining());
  expect(await servers.configMaps(2)).toContain("without-own-etcd");
  await allThere(2, [0, 1, 2]);
});

test("a server that is gone, and whose Node is deleted, counts no longer: one of the two that are left may go away and come back", async () => {
  await servers.kubectl(0).apply({ apiVersion: "v1", kind: "Node", metadata: { name: "server-2" } });
  await servers.killMachine(2);
  await servers.kubectl(0)("delete", "node", "server-2");
  await eventually(() => expect([0, 1].map((i) => servers.log(i)).join()).toContain("The member of a server whose Node was deleted is gone"), { interval: 500 });
});

test("most servers are lost: the one that is left goes on alone after --cluster-reset, with all that it had", async () => {
  const had = await servers.configMaps(0);
  await servers.killMachine(1);
  expect(await servers.outcome(0, "--cluster-reset")).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("stop it first") });
  await servers.signal(0, "SIGTERM");
  const { exitCode, stdout, stderr } = await servers.outcome(0, "--cluster-reset");
  expect({ exitCode, said: stdout + stderr }).toEqual({ exitCode: 0, said: expect.stringContaining("This server's member is the only one now") });
  await servers.start(0);
  expect(await servers.configMaps(0)).toEqual(had);
  await servers.createConfigMap(0, "alone");
  rmSync(servers.dataDir(1), { recursive: true });
  await eventually(async () => expect(await servers.told(0)).toEqual([servers.address(0)]), { interval: 500 });
  await servers.start(1, ...servers.joining());
  expect(await servers.configMaps(1)).toContain("alone");
});
