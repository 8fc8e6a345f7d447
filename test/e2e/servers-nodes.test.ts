import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { busyboxReference } from "../support/images.ts";
import type { KubeJson } from "../support/kubectl.ts";
import { type ClusterMember, startCluster, type TestCluster } from "../support/node/cluster.ts";
import { deployment, pod, service, shell, webServer } from "../support/workloads.ts";

setDefaultTimeout(300_000);

// Three servers that are nodes themselves, and an agent that was told of the first alone; its kubelet is reached through what it opened itself, or not at all.
let cluster: TestCluster, first: ClusterMember, second: ClusterMember, third: ClusterMember, agent: ClusterMember;
beforeAll(async () => {
  cluster = await startCluster({ server: { flags: ["--cluster-init"] } });
  first = cluster.server;
  // While it was alone its address has become another: others are to find it there.
  await first.stop();
  first.node.changeAddress(90);
  first.start();
  await cluster.untilReady();
  second = await cluster.addServer();
  await cluster.untilReady();
  third = await cluster.addServer();
  agent = await cluster.addAgent();
  await agent.node.run(["nft", "add table inet closed; add chain inet closed input { type filter hook input priority -300; }; add rule inet closed input iifname eth0 tcp dport 10250 drop"]);
  await cluster.untilReady();
  for (const member of [second, third, agent]) await member.untilImported(busyboxReference);
});
afterAll(() => cluster?.dispose());

const kubectl = (through: ClusterMember, ...args: string[]): Promise<string> => cluster.kubectlOf(through)(...args);
const items = (through: ClusterMember, ...args: string[]): Promise<KubeJson[]> => cluster.kubectlOf(through).items(...args);
const isReady = ({ status }: KubeJson): boolean => status.conditions?.some((condition: KubeJson) => condition.type === "Ready" && condition.status === "True") ?? false;
const nodesReady = async (through: ClusterMember): Promise<string[]> => (await items(through, "nodes")).filter(isReady).map(({ metadata }) => metadata.name as string).sort();
const leaderLease = (through: ClusterMember): Promise<KubeJson> => cluster.kubectlOf(through).get("lease", "-n", "kube-system", "skiff-controllers");
const leader = async (through: ClusterMember): Promise<string> => (await leaderLease(through)).spec.holderIdentity.split("_")[0];
/** Until a server has written a ConfigMap, which it may while the others choose a leader of etcd; whether an attempt without an answer has come to something or not. */
const written = (through: ClusterMember, name: string): Promise<string> => eventually(() => cluster.kubectlOf(through).apply({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default" } }), { interval: 500 });
/** By name: where each pod of the Deployment runs that is to stay, and how often it was started. */
const webPods = async (through: ClusterMember): Promise<Record<string, string>> =>
  Object.fromEntries((await items(through, "pods", "-l", "app=web")).filter((each) => isReady(each) && !each.metadata.deletionTimestamp).map(({ metadata, spec, status }) => [metadata.name, `${spec.nodeName} ${status.containerStatuses[0].restartCount}`]));
/** The pods that answer at an address, as this machine sees it. */
async function answering(member: ClusterMember, address: string, times = 24): Promise<Set<string>> {
  // A connection for each: the pods' server keeps none open.
  return new Set((await member.node.run(["curl", "-sS", "--fail-early", "--max-time", "10", ...Array<string>(times).fill(`http://${address}/`)])).trim().split("\n"));
}

const gone = (seconds: number) => ["not-ready", "unreachable"].map((what) => ({ key: `node.kubernetes.io/${what}`, operator: "Exists" as const, effect: "NoExecute" as const, tolerationSeconds: seconds }));
let address: string;

test("pods and their Service are on all nodes, and each server reaches them on every node", async () => {
  await cluster.kubectl.apply(
    deployment("web", 6, webServer("hostname > /www/index.html"), { tolerations: gone(5), topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "ScheduleAnyway", labelSelector: { matchLabels: { app: "web" } } }] }), service("web"),
    ...[first, second, third, agent].map(({ name }) => pod(`on-${name}`, shell(`echo from ${name}; sleep 10000`), { nodeName: name, tolerations: gone(600) })),
  );
  await eventually(async () => expect(Object.keys(await webPods(first))).toHaveLength(6), { interval: 500 });
  expect(new Set(Object.values(await webPods(first)).map((where) => where.split(" ")[0]))).toEqual(new Set([first, second, third, agent].map(({ name }) => name)));
  await kubectl(first, "wait", "--for=condition=Ready", "pod", "--all", "--timeout=120s");
  for (const through of cluster.servers) {
    for (const { name } of [first, second, third, agent]) {
      await eventually(async () => {
        expect(await kubectl(through, "logs", `on-${name}`)).toBe(`from ${name}\n`);
        expect(await kubectl(through, "exec", `on-${name}`, "--", "hostname")).toBe(`on-${name}\n`);
      }, { interval: 200 });
    }
  }
  address = (await cluster.kubectl.get("service", "web")).spec.clusterIP;
  for (const member of [first, second, third, agent]) await eventually(async () => expect(await answering(member, address)).toEqual(new Set(Object.keys(await webPods(first)))), { interval: 500 });
});

test("the server that the others joined at is killed: its pods and all others go on, the agent stays Ready, and another leads soon", async () => {
  const before = await webPods(second);
  await first.kill9();
  const killed = Date.now();
  for (const through of [second, third]) {
    for (const { name } of [agent, second]) await eventually(async () => expect(await kubectl(through, "exec", `on-${name}`, "--", "echo", "here")).toBe("here\n"), { interval: 200 });
  }
  for (const member of [first, second, third, agent]) expect((await answering(member, address)).size).toBeGreaterThanOrEqual(4);
  await written(second, "while-away");
  await eventually(async () => expect(await leader(third)).not.toBe(first.name), { interval: 250 });
  expect(Date.parse((await leaderLease(third)).spec.acquireTime) - killed).toBeLessThan(20_000);
  expect(await webPods(second)).toEqual(before);
  // Its node is taken for one that runs for a while yet.
  await cluster.kubectlOf(third).apply(deployment("after", 2, shell("sleep 10000"), { nodeSelector: { "kubernetes.io/hostname": agent.name } }));
  await kubectl(second, "wait", "--for=condition=Available", "deployment/after", "--timeout=120s");
  expect(await nodesReady(second)).toContain(agent.name);
});

test("its machine is gone: the node is not Ready, its pods are replaced when their time is over, and the Service has the others'", async () => {
  await first.node.powerCut();
  await eventually(async () => expect(await nodesReady(second)).toEqual([agent, second, third].map(({ name }) => name).sort()), { timeout: 120_000, interval: 500 });
  await eventually(async () => {
    const now = Object.values(await webPods(third));
    expect(now).toHaveLength(6);
    expect(now.some((where) => where.startsWith(`${first.name} `))).toBe(false);
  }, { interval: 500 });
  // One that may stay for ten minutes is left where it was.
  expect((await cluster.kubectlOf(second).get("pod", `on-${first.name}`)).metadata.deletionTimestamp).toBeUndefined();
  for (const member of [second, third, agent]) await eventually(async () => expect(await answering(member, address)).toEqual(new Set(Object.keys(await webPods(second)))), { interval: 500 });
});

test("an agent that starts anew meanwhile comes back by a server that it has learnt of; a new pod starts on it", async () => {
  await agent.kill9();
  agent.start();
  await kubectl(third, "run", "new", `--image=${busyboxReference}`, "--overrides", JSON.stringify({ spec: { nodeName: agent.name } }), "--command", "--", "sleep", "10000");
  await kubectl(third, "wait", "--for=condition=Ready", "pod/new", "--timeout=120s");
  for (const through of [second, third]) await eventually(async () => expect(await kubectl(through, "exec", "new", "--", "hostname")).toBe("new\n"), { interval: 500 });
  expect((await cluster.kubectlOf(second).get("pod", `on-${agent.name}`)).status.containerStatuses[0].restartCount).toBe(0);
});

test("no machine takes the name of the server that is down", async () => {
  const thief = await cluster.addAgent({ name: "thief", at: second, flags: ["--node-name", first.name] });
  await eventually(() => expect(thief.log()).toContain(`kubectl delete node ${first.name}`), { interval: 200 });
  await thief.node.powerCut();
});

test("the machine is there again: so are server and node, and it reaches all", async () => {
  await first.boot();
  await cluster.untilApiReady(60_000);
  await eventually(async () => expect(await nodesReady(first)).toEqual([agent, first, second, third].map(({ name }) => name).sort()), { interval: 500 });
  expect(await kubectl(first, "get", "configmap", "while-away", "-o", "name")).toBe("configmap/while-away\n");
  for (const { name } of [second, third, agent]) await eventually(async () => expect(await kubectl(first, "exec", `on-${name}`, "--", "hostname")).toBe(`on-${name}\n`), { interval: 500 });
});

test("a server whose address changes while it runs, and one that has another when it is on again, are members there", async () => {
  third.node.changeAddress(91);
  await eventually(() => expect(third.log()).toContain("The cluster knows where this server is now"), { interval: 200 });
  await second.node.powerCut();
  // Of three two are left, one of them elsewhere.
  await written(first, "by-first");
  await second.node.boot();
  second.node.changeAddress(92);
  second.start();
  await eventually(() => expect(second.log()).toContain("The cluster knows where this server is now"), { interval: 200 });
  await third.node.powerCut();
  await written(second, "by-second");
  expect(await kubectl(first, "get", "configmap", "by-second", "-o", "name")).toBe("configmap/by-second\n");
});
