import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { output } from "../support/running.ts";
import { type ClusterMember, startCluster, type TestCluster } from "../support/node/cluster.ts";
import { pod, shell } from "../support/workloads.ts";
import type { Measure, Row } from "./measure.ts";

const port = 7000;

/** What goes from pod to pod: on one node, by a route to a neighbour, by VXLAN to a node behind a router. And how soon a node that comes is reached. */
export const measureNodeNetwork: Measure = async ({ quick }) => {
  await using cluster = await startCluster({ agents: [{ name: "near" }, { name: "far", machine: { segment: "remote" } }] });
  const pods = { client: cluster.server, same: cluster.server, near: cluster.member("near"), far: cluster.member("far") };
  await cluster.kubectl.apply(...Object.entries(pods).map(([name, { name: nodeName }]) => pod(name, shell(`exec sleep ${secondsOf(name)}`), { nodeName })));
  await cluster.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s");
  const rows: Row[] = [];
  for (const [to, what] of [["same", "on one node"], ["near", "to a neighbour, by a route"], ["far", "to a node behind a router, by VXLAN"]] as const) {
    const figures = await throughput(cluster, to, quick ? 3 : 7);
    rows.push({ what: `TCP from pod to pod ${what}`, values: figures, unit: "Gbit/s", note: "one connection; sender, receiver and all between them on this machine's cores" });
  }
  rows.push({ what: "A node that comes: to the route on another", values: await timesToRoute(cluster, quick ? 2 : 5), unit: "ms", note: "from the start of its executable" });
  return rows;
};

/** Tells the pods' processes from all others on this machine. */
const secondsOf = (name: string): number => 86_000_000 + Number.parseInt(Buffer.from(name).toString("hex").slice(0, 5), 16) * 100 + process.pid % 100;

function processOf(name: string): string {
  const command = `sleep\0${secondsOf(name)}\0`;
  const found = readdirSync("/proc").find((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8") === command;
    } catch {
      return false;
    }
  });
  if (!found) throw new Error(`the pod ${name} runs no process`);
  return found;
}

async function throughput(cluster: TestCluster, to: string, runs: number): Promise<number[]> {
  const { podIP } = (await cluster.kubectl.get("pod", to)).status, script = join(import.meta.dir, "node-network-stream.ts");
  const inPod = (name: string): string[] => ["nsenter", "--target", processOf(name), "--net", process.execPath, script];
  const receiver = Bun.spawn([...inPod(to), "receive", String(port)], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  try {
    await receiver.stdout.getReader().read();
    const figures: number[] = [];
    for (let i = 0; i < runs; i++) figures.push(Number(await output([...inPod("client"), "send", String(port), podIP])));
    return figures;
  } finally {
    receiver.kill();
    await receiver.exited;
  }
}

async function timesToRoute(cluster: TestCluster, nodes: number): Promise<number[]> {
  const times: number[] = [], routes = (member: ClusterMember): Promise<string> => member.node.run(["ip", "route", "show", "proto", "83"]);
  for (let i = 0; i < nodes; i++) {
    const start = performance.now(), { node } = await cluster.addAgent({ name: `more-${i}` });
    await eventually(async () => {
      if (!(await routes(cluster.member("near"))).includes(`via ${node.ip} `)) throw new Error(`there is no route to ${node.name}`);
    }, { timeout: 30_000, interval: 10 });
    times.push(performance.now() - start);
  }
  return times;
}
