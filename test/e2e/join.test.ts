import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openMembership } from "../../agents/join/membership.ts";
import { createLeaf } from "../../src/server/pki/certificate.ts";
import { eventually } from "../support/eventually.ts";
import { type ClusterMember, startCluster, type TestCluster } from "../support/node/cluster.ts";
import type { TestNode } from "../support/node/test-node.ts";
import type { Outcome } from "../support/running.ts";
import { skiffExecutable } from "../support/skiff.ts";
import { pod, shell } from "../support/workloads.ts";

setDefaultTimeout(300_000);

// One server and machines that join it, each with a network, a disk and processes of its own.
let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startCluster({ agents: [{ name: "edge-1", flags: ["--node-label", "site=shed", "--node-taint", "site=shed:NoSchedule"] }, { name: "edge-2" }] });
});
afterAll(() => cluster.dispose());

const joinDirectory = ({ node }: ClusterMember): string => join(node.layout.agentDir, "join");
const serverCommand = (...args: string[]): Promise<Outcome> => cluster.server.node.exec([skiffExecutable(), ...args]);
const tokenCommand = (...args: string[]): Promise<Outcome> => serverCommand("token", ...args, "--data-dir", cluster.server.node.layout.dataDir);
const serverUrl = (): string => `https://${cluster.server.node.ip}:6443`;
const nodeNames = async (): Promise<string[]> => (await cluster.kubectl.items("nodes")).map((node) => node.metadata.name as string).sort();
/** `skiff agent` on a machine, until it ends by itself. */
const agentOn = (node: TestNode, ...flags: string[]): Promise<Outcome> => node.exec([skiffExecutable(), "agent", "--config", join(node.disk, "config.yaml"), "--data-dir", node.layout.dataDir, ...flags], { timeoutMs: 60_000 });

test("agents are nodes with the labels and taints they were given, and run pods", async () => {
  const { metadata, spec } = await cluster.kubectl.get("node", "edge-1");
  expect(metadata.labels).toMatchObject({ site: "shed", "kubernetes.io/hostname": "edge-1" });
  expect(spec.taints).toEqual([{ key: "site", value: "shed", effect: "NoSchedule" }]);
  await cluster.kubectl.apply(...["edge-1", "edge-2"].map((name) => pod(`on-${name}`, shell(`echo here is ${name}; sleep 10000`), { nodeName: name, tolerations: [{ operator: "Exists" }] })));
  for (const name of ["edge-1", "edge-2"]) {
    await cluster.kubectl.untilPod(`on-${name}`, (status) => expect(status.phase).toBe("Running"));
    await eventually(async () => expect(await cluster.kubectl("logs", `on-${name}`)).toBe(`here is ${name}\n`), { interval: 100 });
    expect(await cluster.kubectl("exec", `on-${name}`, "--", "hostname")).toBe(`on-${name}\n`);
  }
});

test("the kubelet's port knows its callers by the API server", async () => {
  const { node } = cluster.member("edge-1");
  const status = async (...options: string[]): Promise<string> => cluster.server.node.run(["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", ...options, `https://${node.ip}:10250/pods`]);
  const tls = cluster.server.node.layout.tlsDir;
  await cluster.kubectl("create", "serviceaccount", "reader");
  const bearer = `Authorization: Bearer ${await cluster.kubectl.token("reader")}`;
  expect([await status(), await status("-H", "Authorization: Bearer nonsense"), await status("-H", bearer)]).toEqual(["401", "401", "403"]);
  expect(await status("--cert", join(tls, "client-kube-apiserver.crt"), "--key", join(tls, "client-kube-apiserver.key"))).toBe("200");
  await cluster.kubectl("create", "clusterrolebinding", "reader", "--clusterrole=system:kubelet-api-admin", "--serviceaccount=default:reader");
  // A kubelet remembers refusals for half a minute: another account with the same rights is told at once.
  await cluster.kubectl("create", "serviceaccount", "late-reader");
  await cluster.kubectl("create", "clusterrolebinding", "late-reader", "--clusterrole=system:kubelet-api-admin", "--serviceaccount=default:late-reader");
  // Not asked before the API server itself knows of it.
  await eventually(() => cluster.kubectl("auth", "can-i", "get", "nodes", "--subresource=proxy", "--as=system:serviceaccount:default:late-reader"), { interval: 100 });
  expect(await status("-H", `Authorization: Bearer ${await cluster.kubectl.token("late-reader")}`)).toBe("200");
});

test("tokens: made, listed, used, ended, deleted", async () => {
  const made = (await tokenCommand("create", "--ttl", "1h", "--description", "for the barn")).stdout.trim();
  expect(made).toMatch(/^K10[0-9a-f]{64}::[a-z0-9]{6}\.[a-z0-9]{16}$/);
  const [id = "", secret = ""] = made.split("::")[1]!.split(".");
  const list = (await tokenCommand("list")).stdout;
  expect(list).toMatch(new RegExp(`${id}\\.<secret> +(59m|60m|1h)[^ ]* .*for the barn`));
  expect(list).not.toContain(secret);
  const barn = await cluster.addAgent({ name: "barn", flags: ["--token", made, "--with-node-id"] });
  await eventually(async () => expect((await nodeNames()).some((name) => /^barn-[0-9a-f]{8}$/.test(name))).toBe(true), { timeout: 60_000 });
  expect(await tokenCommand("delete", made)).toMatchObject({ exitCode: 0, stdout: `bootstrap token ${id} deleted\n` });
  const hayloft = await cluster.addAgent({ name: "hayloft", flags: ["--token", made] });
  await eventually(() => expect(hayloft.log()).toContain(`the bootstrap token ${id} is not known`), { timeout: 60_000 });
  // It goes on trying; the power of both goes, and nothing of theirs is in the way of what follows.
  expect(hayloft.exitCode).toBeNull();
  const [name] = (await nodeNames()).filter((each) => each.startsWith("barn-"));
  for (const member of [barn, hayloft]) await member.node.powerCut();
  await cluster.kubectl("delete", "node", name!);
});

test("mistakes are told in a sentence, at once", async () => {
  const { node } = cluster.member("edge-2");
  for (const [flags, sentence] of [
    [[], "say which cluster to join: --server https://HOST:6443, or SKIFF_URL"],
    [["--server", "192.0.2.1:6443"], "--server must look like https://HOST:6443"],
    [["--server", serverUrl(), "--token", "K10abc::server:x"], "the token must be K10<64 hex digits>"],
    [["--server", serverUrl(), "--token-file", "/nowhere"], "--token-file /nowhere can't be read"],
    [["--server", serverUrl(), "--token", "a", "--token-file", "/etc/hostname"], "leave one out"],
  ] as const) {
    const { exitCode, stderr } = await agentOn(node, ...flags);
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringContaining(sentence) });
    expect(stderr.trim().split("\n")).toHaveLength(1);
  }
  const { stderr } = await cluster.server.node.exec([skiffExecutable(), "agent", "--config", join(cluster.server.node.disk, "config.yaml"), "--data-dir", cluster.server.node.layout.dataDir, "--server", serverUrl()]);
  expect(stderr).toContain("is the data directory of a server of its own");
});

describe("the same device again", () => {
  test("flashed anew it is told what the administrator runs, and is the node again after that", async () => {
    const edge = cluster.member("edge-1");
    await edge.stop();
    rmSync(joinDirectory(edge), { recursive: true });
    edge.start();
    await eventually(() => expect(edge.log()).toContain("kubectl -n kube-system delete secret edge-1.node-password.skiff"), { timeout: 60_000 });
    expect(edge.exitCode).toBeNull();
    await cluster.kubectl("-n", "kube-system", "delete", "secret", "edge-1.node-password.skiff");
    await eventually(() => expect(existsSync(join(joinDirectory(edge), "membership.json"))).toBe(true), { timeout: 60_000 });
    await cluster.untilReady("edge-1");
    expect((await cluster.kubectl.get("pod", "on-edge-1")).status.containerStatuses[0].restartCount).toBe(0);
  });

  test("deleting the Node forgets the password with it", async () => {
    const edge = cluster.member("edge-2");
    await edge.stop();
    await cluster.kubectl("delete", "node", "edge-2");
    await eventually(async () => expect(await cluster.kubectl("-n", "kube-system", "get", "secrets")).not.toContain("edge-2.node-password.skiff"), { timeout: 60_000 });
    rmSync(joinDirectory(edge), { recursive: true });
    edge.start("--token", readFileSync(join(cluster.server.node.layout.dataDir, "server/token"), "utf8").trim());
    await cluster.untilReady("edge-2");
  });
});

test("after a year in a drawer a node comes back by what it is, without a token, and its pods with it", async () => {
  const edge = cluster.member("edge-1");
  await edge.stop();
  const store = openMembership(joinDirectory(edge)), membership = store.read()!;
  const file = (name: string): string => readFileSync(join(cluster.server.node.layout.tlsDir, name), "utf8");
  const notAfter = new Date(Date.now() - 24 * 3600_000);
  const expired = async (commonName: string, organization: string, usage: "client" | "server", ca: string) =>
    createLeaf({ issuer: { certificate: file(`${ca}.crt`), key: file(`${ca}.key`) }, usage, subject: { commonName, organizations: [organization] }, names: usage === "server" ? ["edge-1"] : [], notAfter });
  store.write({
    ...membership,
    pairs: {
      kubelet: await expired("system:node:edge-1", "system:nodes", "client", "client-ca"), network: await expired("system:skiff-network:edge-1", "system:skiff-networks", "client", "client-ca"),
      serving: await expired("system:node:edge-1", "system:nodes", "server", "server-ca"),
    },
  });
  edge.start("--token", "");
  await eventually(() => expect(Date.parse(new X509Certificate(store.read()!.pairs.serving.certificate).validTo)).toBeGreaterThan(Date.now()), { timeout: 60_000 });
  await cluster.untilReady("edge-1");
  await eventually(async () => expect(await cluster.kubectl("logs", "on-edge-1")).toBe("here is edge-1\n"), { timeout: 60_000 });
  expect((await cluster.kubectl.get("pod", "on-edge-1")).status.containerStatuses[0].restartCount).toBe(0);
});

test("killed at any moment of its enrolment a machine joins at the next start", async () => {
  const token = readFileSync(join(cluster.server.node.layout.dataDir, "server/token"), "utf8").trim();
  const machine = await cluster.addAgent({ name: "flaky", flags: ["--token", token] });
  for (const ms of [150, 250, 300, 350, 400, 450, 500, 600]) {
    await Bun.sleep(ms);
    await machine.kill9();
    machine.start("--token", token);
  }
  await cluster.untilReady("flaky");
  expect(machine.log()).not.toContain("flashed anew");
  await machine.node.powerCut();
  await cluster.kubectl("delete", "node", "flaky");
});

test("with the server down at its first start a machine waits, and joins when the server is there", async () => {
  const token = readFileSync(join(cluster.server.node.layout.dataDir, "server/token"), "utf8").trim();
  await cluster.server.stop();
  const machine = await cluster.addAgent({ name: "early", flags: ["--token", token] });
  await eventually(() => expect(machine.log()).toContain("Waiting for the server to join"), { timeout: 60_000 });
  cluster.server.start();
  await cluster.untilReady("early", "edge-1", "edge-2");
});

test("a rotated token lets machines in, the old one does not, and agents that restart stay nodes", async () => {
  const before = readFileSync(join(cluster.server.node.layout.dataDir, "server/token"), "utf8").trim();
  const after = (await tokenCommand("rotate")).stdout.trim();
  expect(after.slice(0, 67)).toBe(before.slice(0, 67));
  const edge = cluster.member("edge-2");
  await edge.stop();
  edge.start();
  await cluster.untilReady("edge-2");
  const yard = await cluster.addAgent({ name: "yard", flags: ["--token", before] });
  await eventually(() => expect(yard.log()).toContain("may have been rotated"), { timeout: 60_000 });
  await yard.kill9();
  yard.start("--token", after);
  await cluster.untilReady("yard");
  await yard.node.powerCut();
  await cluster.kubectl("delete", "node", "yard");
});
