import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { TestEtcd } from "../support/etcd.ts";
import { eventually } from "../support/eventually.ts";
import { TestServers } from "../support/servers.ts";

setDefaultTimeout(240_000);

const etcd = await TestEtcd.start();
const servers = await TestServers.create({ flags: ["--datastore-endpoint", etcd.urls.join()] });
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
  await etcd[Symbol.asyncDispose]();
});

const deployment = (name: string, replicas: number) => ({
  apiVersion: "apps/v1", kind: "Deployment", metadata: { name, namespace: "default" },
  spec: { replicas, selector: { matchLabels: { app: name } }, template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "c", image: "example.com/none:1" }] } } },
});
const podsOf = (i: number, app: string) => servers.kubectl(i).items("pods", "-l", `app=${app}`);

test("two servers that start at once on an empty etcd are one cluster: what is written to one is seen on the other", async () => {
  await Promise.all([0, 1].map((i) => servers.start(i, "--token", "one-token-for-all")));
  expect(servers.token(1)).toBe(servers.token(0));
  await servers.kubectl(0)("create", "configmap", "by-0", "--from-literal=a=1");
  await servers.kubectl(1)("create", "configmap", "by-1", "--from-literal=a=1");
  const watching = servers.kubectl(0).start(["get", "configmaps", "--watch-only", "-o", "name"]);
  await servers.kubectl(1)("annotate", "configmap", "by-0", "seen=yes");
  expect((await servers.kubectl(0).get("configmap", "by-0")).metadata.annotations).toEqual({ seen: "yes" });
  await eventually(async () => {
    await servers.kubectl(1)("annotate", "--overwrite", "configmap", "by-1", `at=${performance.now()}`);
    expect(watching.text()).toContain("configmap/by-1");
  }, { interval: 200 });
  await watching.stop();
  // Each trusts whom the other knows.
  const token = await servers.kubectl(0).token("default");
  expect((await servers.kubectl(1).outcome(["get", "configmaps", "--token", token, "--kubeconfig", "/dev/null", "--server", servers.url(1), "--insecure-skip-tls-verify"])).stderr).toContain("system:serviceaccount:default:default");
  await eventually(async () => expect(await servers.told(0)).toEqual([servers.address(0), servers.address(1)]));
});

test("a server with a wrong token, or none, is told so in a sentence, and changes nothing", async () => {
  for (const [flags, sentence] of [[["--token", "another-token"], "--token is not that of the cluster in etcd"], [[], "a cluster is in that etcd already: to join it give its token"]] as const) {
    const { exitCode, stderr } = await servers.outcome(2, ...flags);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`skiff: ${sentence}`);
    for (const name of ["token", "tls/server-ca.key", "cred"]) expect(existsSync(join(servers.dataDir(2), "server", name))).toBe(false);
  }
});

test("so is one that was given other settings than those that run", async () => {
  const { exitCode, stderr } = await servers.outcome(2, "--token", "one-token-for-all", "--cluster-domain", "site.example");
  expect(exitCode).toBe(1);
  expect(stderr).toContain("skiff: --cluster-domain site.example is not what the cluster's other servers have, cluster.local: leave it out");
  for (const name of ["token", "tls/server-ca.key"]) expect(existsSync(join(servers.dataDir(2), "server", name))).toBe(false);
});

test("so is one that is called as another that runs", async () => {
  const { exitCode, stderr } = await servers.outcome(2, "--token", "one-token-for-all", "--node-name", "server-0");
  expect(exitCode).toBe(1);
  expect(stderr).toContain("skiff: another server of this cluster runs and is called server-0: give this one a --node-name of its own");
  expect(existsSync(join(servers.dataDir(2), "server/token"))).toBe(false);
});

test("the leader is killed: within 20 s the other runs the controllers, and nothing is done twice", async () => {
  const leader = await servers.leader(0), other = 1 - leader;
  await servers.kubectl(other).apply(deployment("before", 3));
  await eventually(async () => expect(await podsOf(leader, "before")).toHaveLength(3), { interval: 200 });
  await servers.signal(leader, "SIGKILL");
  const killed = Date.now();
  await servers.kubectl(other).apply(deployment("after", 3));
  await eventually(async () => expect(await podsOf(other, "after")).toHaveLength(3), { interval: 200 });
  expect(await servers.leadsSince(other) - killed).toBeLessThan(20_000);
  for (const app of ["before", "after"]) expect(await podsOf(other, app)).toHaveLength(3);
  await eventually(async () => expect(await servers.told(other)).toEqual([servers.address(other)]), { interval: 500 });

  await servers.start(leader);
  await eventually(async () => expect(await servers.told(other)).toEqual([servers.address(0), servers.address(1)]), { interval: 200 });
  expect(await servers.leader(leader)).toBe(other);
  // A clean stop hands over at once.
  await servers.signal(other, "SIGTERM");
  const stopped = Date.now();
  await eventually(async () => expect(await servers.leader(leader)).toBe(leader), { interval: 100 });
  expect(await servers.leadsSince(leader) - stopped).toBeLessThan(10_000);
  await servers.kubectl(leader)("scale", "deployment", "after", "--replicas=1");
  await eventually(async () => expect((await podsOf(leader, "after")).filter(({ metadata }) => !metadata.deletionTimestamp)).toHaveLength(1), { interval: 200 });
  await eventually(async () => expect(await servers.told(leader)).toEqual([servers.address(leader)]), { interval: 200 });
  await servers.start(other);
});

test("a leader that hangs comes back to find another leading, and stops", async () => {
  const leader = await servers.leader(0), other = 1 - leader;
  await servers.signal(leader, "SIGSTOP");
  await eventually(async () => expect(await servers.leader(other)).toBe(other), { interval: 500 });
  await servers.signal(leader, "SIGCONT");
  await eventually(() => expect(servers.log(leader)).toContain("This server leads no longer"), { interval: 200 });
  expect(await servers.leader(leader)).toBe(other);
});

test("a token rotated on one server joins another; one with the old token is refused", async () => {
  await servers.run("token", "rotate", "--data-dir", servers.dataDir(0), "--new-token", "the-new-token");
  await eventually(() => expect(servers.token(1)).toEndWith("the-new-token"));
  expect((await servers.outcome(2, "--token", "one-token-for-all")).stderr).toContain("--token is not that of the cluster");
  await servers.start(2, "--token", servers.token(1));
  await eventually(async () => expect(await servers.told(0)).toEqual([0, 1, 2].map((i) => servers.address(i))), { interval: 200 });
});
