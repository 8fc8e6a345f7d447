import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ClusterMember, startCluster, type TestCluster } from "../support/node/cluster.ts";
import { type Measure, quantile, type Row } from "./measure.ts";
import { figuresOf } from "./process-figures.ts";

const script = (name: string): string => join(import.meta.dir, name);

/** Pods on an agent: how soon they are Ready when many come at once, beside the bare calls to its runtime, and what they cost while nothing happens. */
export const measureNodePods: Measure = async ({ quick }) => {
  await using cluster = await startCluster({ agents: 1 });
  const agent = cluster.member("agent-1");
  const rows: Row[] = await atRest(agent, "an agent without pods", quick);
  for (const count of [10, 50]) {
    const rounds = quick ? 1 : 3, ours: number[] = [], bare: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(...await load(cluster, count, "create"));
      // The last round's stay, to be looked at.
      if (round + 1 === rounds) rows.push(...await atRest(agent, `an agent with ${count} pods`, quick));
      await load(cluster, count, "remove");
      bare.push(...await bareCallsOn(agent, count));
    }
    const row = (what: string, values: readonly number[]): Row => ({ what, values, unit: "ms", note: `p99 ${Math.round(quantile(values, 0.99))} ms` });
    rows.push(row(`${count} pods at once: create to Ready`, ours), row(`${count} pods at once: the bare CRI calls`, bare));
  }
  const full = await load(cluster, 110, "create");
  rows.push({ what: "110 pods on a node: all Ready after", values: [Math.max(...full) / 1000], unit: "s" }, ...await atRest(agent, "an agent with 110 pods", quick));
  return rows;
};

async function load({ server }: TestCluster, count: number, what: "create" | "remove"): Promise<number[]> {
  return numbersOf(server, [script("node-pods-load.ts"), join(server.node.disk, "admin.yaml"), "agent-1", String(count), what]);
}

const bareCallsOn = (agent: ClusterMember, count: number): Promise<number[]> =>
  numbersOf(agent, [script("node-bare-calls.ts"), join(agent.node.layout.runDir, "containerd.sock"), `${agent.node.layout.instance}/bench`, String(count)]);

async function numbersOf({ node }: ClusterMember, command: readonly string[]): Promise<number[]> {
  const { stdout, stderr, exitCode } = await node.exec([process.execPath, ...command], { timeoutMs: 400_000 });
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
  return JSON.parse(stdout) as number[];
}

/** Memory of the agent, and of the runtime apart from it, and the share of a core that the agent takes. */
async function atRest(agent: ClusterMember, what: string, quick: boolean): Promise<Row[]> {
  await Bun.sleep(quick ? 10_000 : 45_000);
  const seconds = quick ? 10 : 60, before = figuresOf(agent.pid);
  await Bun.sleep(seconds * 1000);
  const after = figuresOf(agent.pid), runtime = runtimeOf(agent);
  return [
    { what: `RSS of ${what}`, values: [after.residentMb], unit: "MB" },
    { what: `CPU of ${what}`, values: [(after.cpuSeconds - before.cpuSeconds) / seconds * 100], unit: "% of a core", note: `over ${seconds} s` },
    { what: `containerd of ${what}`, values: [runtime.containerd], unit: "MB", note: `PSS; ${runtime.shims} shims ${Math.round(runtime.shimsMb)} MB` },
  ];
}

/** Proportional memory, in MB: shims share the most of theirs. */
function runtimeOf({ node }: ClusterMember): { containerd: number; shims: number; shimsMb: number } {
  const found = { containerd: 0, shims: 0, shimsMb: 0 };
  const socket = join(node.layout.runDir, "containerd.sock"), config = join(node.layout.agentDir, "containerd/config.toml");
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const words = readOf(`/proc/${pid}/cmdline`).split("\0");
    if (words.includes(config)) found.containerd += pssOf(pid);
    if (!words[0]?.includes("containerd-shim") || !words.includes(socket)) continue;
    found.shims++;
    found.shimsMb += pssOf(pid);
  }
  return found;
}

const pssOf = (pid: string): number => Number(/^Pss:\s+(\d+)/m.exec(readOf(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) * 1024 / 1e6;

/** Empty when the process has ended meanwhile. */
function readOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
