import type { Subprocess } from "bun";
import { skiffExecutable, TestSkiff } from "../support/skiff.ts";
import { credentialsOf, type Credentials } from "./api-connection.ts";
import { type BenchOptions, type Measure, quantile, type Row, timed } from "./measure.ts";
import { figuresOf } from "./process-figures.ts";
import { get, inParallel, PodWatch, post, until } from "./scale-load.ts";

/** Clusters of hollow nodes, which run in a process of their own: nodes × pods each. */
const sizes: readonly [nodes: number, podsEach: number][] = [[100, 30], [500, 10]];
const replicas = 1000;

/** Pods bound in a second, from creation to binding, a rollout, the end of a namespace, and what the server costs at rest; with hundreds of nodes. */
export const measureScale: Measure = async (options) => {
  const rows: Row[] = [];
  for (const [nodes, podsEach] of options.quick ? sizes.slice(0, 1) : sizes) rows.push(...await measureCluster(nodes, podsEach, options));
  return rows;
};

async function measureCluster(nodes: number, podsEach: number, { network, quick }: BenchOptions): Promise<Row[]> {
  const skiff = new TestSkiff({ network, flags: ["--disable-agent", "--cluster-cidr", "10.32.0.0/13"] });
  let hollow: Subprocess | undefined;
  const rows: Row[] = [];
  const row = (what: string, values: readonly number[], unit: string, note?: string): void => void rows.push({ what: `${what}, ${nodes} nodes`, values, unit, ...(note ? { note } : {}) });
  try {
    await skiff.start({ node: false });
    const credentials = credentialsOf(skiff.kubeconfig);
    const empty = figuresOf(skiff.pid).residentMb;
    hollow = Bun.spawn(network.inside([skiffExecutable(), "hollow", "--nodes", String(nodes), "--kubeconfig", skiff.kubeconfig, "--cpu", "64", "--memory", "256Gi"]), { stdio: ["ignore", "ignore", "inherit"] });
    row("nodes registered and Ready", [await timed(() => until("nodes Ready", () => allReady(credentials, nodes), 200))], "ms");
    const rest = async (what: string): Promise<void> => {
      const seconds = quick ? 10 : 40;
      await Bun.sleep(quick ? 5000 : 30_000);
      const before = figuresOf(skiff.pid);
      await Bun.sleep(seconds * 1000);
      const after = figuresOf(skiff.pid);
      row(`CPU at rest, ${what}`, [(after.cpuSeconds - before.cpuSeconds) * 100 / seconds], "% of a core", `over ${seconds} s, Leases being renewed`);
      row(`RSS, ${what}`, [after.residentMb], "MB", `${after.anonymousMb.toFixed(0)} MB of it anonymous; ${empty.toFixed(0)} MB when empty`);
    };
    await rest("no pods");
    rows.push(...await measureBinding(credentials, nodes, podsEach, skiff));
    await rest(`${(nodes * podsEach).toLocaleString("en-US")} pods`);
    row(`rollout of a new Deployment of ${replicas}`, [await timed(() => rollOut(credentials, 1))], "ms");
    row(`rollout of a change to it`, [await timed(() => rollOut(credentials, 2))], "ms");
    await fill(credentials);
    row("a namespace of 2,000 objects deleted", [await timed(() => deleteNamespace(credentials))], "ms", "1,000 ConfigMaps, 500 Secrets, 500 pods");
    return rows;
  } finally {
    hollow?.kill();
    await hollow?.exited;
    skiff.dispose();
  }
}

async function allReady(credentials: Credentials, nodes: number): Promise<boolean> {
  const list = await get<{ items: { spec: { taints?: unknown[] }; status?: { conditions?: { type: string; status: string }[] } }[] }>(credentials, "/api/v1/nodes");
  return list!.items.filter(({ spec, status }) => !spec.taints?.length && status?.conditions?.some((each) => each.type === "Ready" && each.status === "True")).length === nodes;
}

async function measureBinding(credentials: Credentials, nodes: number, podsEach: number, skiff: TestSkiff): Promise<Row[]> {
  const count = nodes * podsEach, namespace = await makeNamespace(credentials, "burst");
  const watch = new PodWatch(credentials, namespace);
  const created = new Map<string, number>();
  const before = figuresOf(skiff.pid).cpuSeconds, begun = performance.now();
  await inParallel(credentials, count, async (connection, index) => {
    created.set(`pod-${index}`, performance.now());
    await post(connection, `/api/v1/namespaces/${namespace}/pods`, pod(`pod-${index}`));
  });
  const createdMs = performance.now() - begun;
  await until("all pods bound", () => watch.bound.size === count);
  const boundMs = Math.max(...watch.bound.values()) - begun;
  await until("all pods running", () => watch.running.size === count);
  const runningMs = Math.max(...watch.running.values()) - begun, cpu = figuresOf(skiff.pid).cpuSeconds - before;
  await watch.stop();
  const waits = [...watch.bound].map(([name, at]) => at - created.get(name)!);
  const of = `${count.toLocaleString("en-US")} pods on ${nodes} nodes`;
  return [
    { what: `pods created per second, ${of}`, values: [count * 1000 / createdMs], unit: "/s" },
    { what: `pods bound per second, ${of}`, values: [count * 1000 / boundMs], unit: "/s", note: `the server used ${(cpu * 1000 / count).toFixed(2)} ms of CPU a pod` },
    { what: `pods running per second, ${of}`, values: [count * 1000 / runningMs], unit: "/s" },
    { what: `from asking for a pod to its binding, p50, ${of}`, values: [quantile(waits, 0.5)], unit: "ms" },
    { what: `from asking for a pod to its binding, p99, ${of}`, values: [quantile(waits, 0.99)], unit: "ms" },
  ];
}

async function makeNamespace(credentials: Credentials, name: string): Promise<string> {
  await inParallel(credentials, 1, (connection) => post(connection, "/api/v1/namespaces", { metadata: { name } }));
  await until("a service account", async () => await get(credentials, `/api/v1/namespaces/${name}/serviceaccounts/default`) !== undefined);
  return name;
}

const deploymentPath = "/apis/apps/v1/namespaces/default/deployments";

/** Creates the Deployment, or changes it, and waits until all its pods are of this version and available. */
async function rollOut(credentials: Credentials, version: number): Promise<void> {
  const template = { metadata: { labels: { app: "wide", version: `v${version}` } }, spec: container };
  const body = { metadata: { name: "wide" }, spec: { replicas, selector: { matchLabels: { app: "wide" } }, template } };
  await inParallel(credentials, 1, async (connection) => {
    if (version === 1) return post(connection, deploymentPath, body);
    const { status } = await connection.request("PATCH", `${deploymentPath}/wide`, JSON.stringify({ spec: { template } }), { contentType: "application/merge-patch+json" });
    if (status !== 200) throw new Error(`the Deployment's change was answered with ${status}`);
  });
  await until("the rollout", async () => {
    const { metadata, status } = (await get<{ metadata: { generation: number }; status: { observedGeneration?: number; replicas?: number; updatedReplicas?: number; availableReplicas?: number } }>(credentials, `${deploymentPath}/wide`))!;
    return status.observedGeneration === metadata.generation && status.replicas === replicas && status.updatedReplicas === replicas && status.availableReplicas === replicas;
  });
}

async function fill(credentials: Credentials): Promise<void> {
  const path = `/api/v1/namespaces/${await makeNamespace(credentials, "full")}`;
  await inParallel(credentials, 2000, (connection, index) => {
    const name = `object-${index}`;
    if (index % 4 === 0) return post(connection, `${path}/pods`, pod(name));
    return index % 4 === 1 ? post(connection, `${path}/secrets`, { metadata: { name }, stringData: { key: "value" } }) : post(connection, `${path}/configmaps`, { metadata: { name }, data: { key: "value" } });
  });
  await until("its pods running", async () => (await get<{ items: { status: { phase?: string } }[] }>(credentials, `${path}/pods`))!.items.every(({ status }) => status.phase === "Running"), 200);
}

async function deleteNamespace(credentials: Credentials): Promise<void> {
  await inParallel(credentials, 1, async (connection) => void await connection.request("DELETE", "/api/v1/namespaces/full"));
  await until("the end of the namespace", async () => await get(credentials, "/api/v1/namespaces/full") === undefined);
}

const container = { containers: [{ name: "main", image: "localhost/app:1", ports: [{ containerPort: 80 }], resources: { requests: { cpu: "10m", memory: "16Mi" } } }] };
const pod = (name: string): object => ({ apiVersion: "v1", kind: "Pod", metadata: { name, labels: { app: "burst" } }, spec: container });
