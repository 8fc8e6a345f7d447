import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { type ClusterMember, startCluster, type TestCluster } from "../support/node/cluster.ts";
import { pod, service, shell, webServer } from "../support/workloads.ts";

setDefaultTimeout(240_000);

let cluster: TestCluster;
let edge: ClusterMember;
const web: Record<string, string> = {};
const on = (node: string) => ({ nodeSelector: { "kubernetes.io/hostname": node } });
const app = (name: string) => ({ podSelector: { matchLabels: { app: name } } });
const policy = (name: string, spec: object): object => ({ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name }, spec });
const reaches = async (from: string, ip: string): Promise<boolean> => (await cluster.kubectl.outcome(["exec", from, "--", "timeout", "3", "wget", "-q", "-O-", `http://${ip}/`])).exitCode === 0;

beforeAll(async () => {
  cluster = await startCluster({ agents: [{ name: "edge" }] });
  edge = cluster.member("edge");
  for (const node of ["server", "edge"]) {
    await cluster.kubectl.apply(
      pod(`web-${node}`, webServer("mkdir -p /www; echo hello > /www/index.html"), on(node), { app: "web", node }), pod(`friend-${node}`, shell("sleep 10000"), on(node), { app: "friend" }), pod(`stranger-${node}`, shell("sleep 10000"), on(node), { app: "stranger" }),
    );
  }
  await cluster.kubectl.apply(service("web"));
  await cluster.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=120s");
  for (const node of ["server", "edge"]) web[node] = (await cluster.kubectl.get("pod", `web-${node}`)).status.podIP;
});
afterAll(() => cluster.dispose());

test("each node guards its own pods, against pods of every node and on their way to every node", async () => {
  for (const from of ["server", "edge"]) for (const to of ["server", "edge"]) await eventually(async () => expect(await reaches(`stranger-${from}`, web[to]!)).toBe(true), { interval: 200 });
  await cluster.kubectl.apply(policy("web", { ...app("web"), ingress: [{ from: [app("friend")] }] }));
  await eventually(async () => {
    for (const from of ["server", "edge"]) {
      for (const to of ["server", "edge"]) expect([from, to, await reaches(`friend-${from}`, web[to]!), await reaches(`stranger-${from}`, web[to]!)]).toEqual([from, to, true, false]);
    }
  });
  await cluster.kubectl.apply(policy("friends", { ...app("friend"), policyTypes: ["Egress"], egress: [{ to: [{ podSelector: { matchLabels: { node: "edge" } } }] }] }));
  await eventually(async () => {
    for (const from of ["server", "edge"]) expect([await reaches(`friend-${from}`, web.edge!), await reaches(`friend-${from}`, web.server!)]).toEqual([true, false]);
  });
});

test("a pod that comes on one node is let in by the other as soon as that hears of it", async () => {
  await cluster.kubectl.apply(pod("late", shell("sleep 10000"), on("server"), { app: "friend" }));
  await cluster.kubectl("wait", "--for=condition=Ready", "pod/late", "--timeout=120s");
  await eventually(async () => expect(await reaches("late", web.edge!)).toBe(true));
});

test("without a server, policies and the DNS's configuration are in force after a reboot", async () => {
  await cluster.kubectl.apply({ apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "kube-system", name: "skiff-dns" }, data: { hosts: "10.1.0.7 press.factory.example\n" } });
  const inPod = async (name: string, ...command: string[]): Promise<string> => {
    const ctr = (...args: string[]): Promise<string> => edge.node.run(["ctr", "--address", join(edge.node.layout.runDir, "containerd.sock"), "--namespace", "k8s.io", ...args]);
    const live = (await ctr("tasks", "list")).split("\n").filter((line) => line.includes("RUNNING")).map((line) => line.split(/\s+/)[0]!);
    const id = (await ctr("containers", "list", "--quiet", `labels."io.kubernetes.pod.name"==${name},labels."io.kubernetes.container.name"==main`)).split("\n").find((one) => live.includes(one));
    if (!id) throw new Error(`no container of ${name} runs`);
    return ctr("tasks", "exec", "--exec-id", `test-${++execs}`, id, ...command);
  };
  let execs = 0;
  const press = (): Promise<string> => inPod("friend-edge", "nslookup", "press.factory.example.");
  await eventually(async () => expect(await press()).toContain("10.1.0.7"), { interval: 100 });
  // It writes down what it knows in batches, and when it is stopped.
  await edge.stop();
  cluster.server.node.unplug();
  await edge.node.powerCut();
  await edge.boot();
  const webIp = await eventually(async () => (await inPod("web-edge", "hostname", "-i")).trim(), { interval: 200 });
  await eventually(async () => expect(await inPod("friend-edge", "timeout", "2", "wget", "-q", "-O-", `http://${webIp}/`)).toContain("hello"), { interval: 200 });
  await eventually(() => inPod("stranger-edge", "true"), { interval: 200 });
  expect(await inPod("stranger-edge", "sh", "-c", `timeout 3 wget -q -O- http://${webIp}/ || echo denied`)).toContain("denied");
  await eventually(async () => expect(await press()).toContain("10.1.0.7"), { interval: 200 });
});
