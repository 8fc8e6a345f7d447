import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { services } from "../../src/apis/builtins.ts";
import { parseSchedulerConfiguration } from "../../src/scheduler/configuration/parse.ts";
import { namespace, startSchedulerCluster, type SchedulerCluster } from "../support/scheduler-cluster.ts";

const header = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";
const noVictims = (fits: number, unfit: number): string => `no new claims to deallocate, preemption: 0/${fits + unfit} nodes are available: ${[...(fits ? [`${fits} No preemption victims found for incoming pod`] : []), ...(unfit ? [`${unfit} Preemption is not helpful for scheduling`] : [])].join(", ")}.`;

describe("a configured scheduler", () => {
  let cluster: SchedulerCluster;
  afterEach(() => cluster[Symbol.asyncDispose]());
  const start = async (yaml: string): Promise<void> => {
    cluster = await startSchedulerCluster({ configuration: parseSchedulerConfiguration(header + yaml).configuration });
  };

  test("packs the pods of one profile and spreads those of another", async () => {
    await start(`
profiles:
- schedulerName: default-scheduler
- schedulerName: packer
  pluginConfig:
  - name: NodeResourcesFit
    args: {scoringStrategy: {type: MostAllocated}}
  plugins: {score: {disabled: [{name: NodeResourcesBalancedAllocation}]}}
`);
    await cluster.addNode("busy", { cpu: "8" });
    await cluster.addNode("idle", { cpu: "8" });
    await cluster.addPod("first", { nodeName: "busy" }, { cpu: "2" });
    for (const name of ["a", "b"]) {
      await cluster.addPod(`packed-${name}`, { schedulerName: "packer" });
      expect(await cluster.nodeOf(`packed-${name}`)).toBe("busy");
    }
    await cluster.addPod("spread");
    expect(await cluster.nodeOf("spread")).toBe("idle");
  });

  test("adds an affinity to all pods of a profile, and says whose it was", async () => {
    await start(`
profiles:
- pluginConfig:
  - name: NodeAffinity
    args: {addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: pool, operator: In, values: [edge]}]}]}}}
`);
    await cluster.addNode("other");
    await cluster.addPod("waits");
    await cluster.says("waits", `0/1 nodes are available: 1 node(s) didn't match scheduler-enforced node affinity. ${noVictims(0, 1)}`);
    await cluster.addNode("edge", { labels: { pool: "edge" } });
    expect(await cluster.nodeOf("waits")).toBe("edge");
  });

  test("leaves out plugins that are disabled", async () => {
    await start("profiles: [{schedulerName: bold, plugins: {filter: {disabled: [{name: TaintToleration}]}}}, {schedulerName: default-scheduler}]");
    await cluster.addNode("tainted", { taints: [{ key: "k", effect: "NoSchedule" }] });
    await cluster.addPod("careful");
    await cluster.says("careful", `0/1 nodes are available: 1 node(s) had untolerated taint(s). ${noVictims(0, 1)}`);
    await cluster.addPod("bold", { schedulerName: "bold" });
    expect(await cluster.nodeOf("bold")).toBe("tainted");
  });

  test("spreads the pods of a Service as its list of constraints says", async () => {
    await start(`
profiles:
- pluginConfig:
  - name: PodTopologySpread
    args: {defaultingType: List, defaultConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule}]}
`);
    await cluster.addNode("a");
    await cluster.addNode("b", { unschedulable: true });
    await cluster.client.create(services, { metadata: { name: "web", namespace }, spec: { selector: { app: "web" }, ports: [{ port: 80 }] } });
    await cluster.addPod("one");
    expect(await cluster.nodeOf("one")).toBe("a");
    await cluster.addPod("two");
    await cluster.says("two", `0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) were unschedulable. ${noVictims(1, 1)}`);
    await cluster.addPod("alone", {}, {}, { app: "other" });
    expect(await cluster.nodeOf("alone")).toBe("a");
  });

  test("scores of a profile with percentage 0 as many nodes as the cluster's size says, whatever others do", async () => {
    await start("percentageOfNodesToScore: 100\nprofiles: [{schedulerName: all}, {schedulerName: some, percentageOfNodesToScore: 0}]");
    for (let i = 0; i < 110; i++) await cluster.addNode(`node-${i}`, i === 109 ? { labels: { better: "yes" } } : {});
    const affinity = { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, preference: { matchExpressions: [{ key: "better", operator: "Exists" as const }] } }] } };
    await cluster.addPod("first", { schedulerName: "some", affinity }, { cpu: "100m" });
    expect(await cluster.nodeOf("first")).not.toBe("node-109");
    await cluster.addPod("second", { schedulerName: "all", affinity }, { cpu: "100m" });
    expect(await cluster.nodeOf("second")).toBe("node-109");
  });

  test("doesn't count resources it is told to ignore", async () => {
    await start("profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {ignoredResourceGroups: [example.com]}}]}]");
    await cluster.addNode("plain");
    await cluster.addPod("device", {}, { "example.com/device": "1" });
    expect(await cluster.nodeOf("device")).toBe("plain");
  });
});

test("a server whose file can't be used ends with a sentence", () => {
  const directory = mkdtempSync(join(tmpdir(), "skiff-scheduler-"));
  try {
    const file = join(directory, "scheduler.yaml");
    const ends = (path: string): { code: number; said: string } => {
      const { exitCode, stderr } = Bun.spawnSync([process.execPath, join(import.meta.dir, "../../src/main.ts"), "server", "--disable-agent", "--data-dir", join(directory, "data"), "--scheduler-config", path], { stdio: ["ignore", "ignore", "pipe"], timeout: 60_000 });
      return { code: exitCode, said: stderr.toString().trim() };
    };
    writeFileSync(file, `${header}profiles: [{schedulerName: a}, {schedulerName: a, percentageOfNodesToScore: 200}]`);
    expect(ends(file)).toEqual({ code: 1, said: expect.stringMatching(/--scheduler-config .*scheduler\.yaml can't be used: \[profiles\[1\]\.percentageOfNodesToScore: Invalid value: 200: not in valid range \[0-100\], profiles\[1\]\.schedulerName: Duplicate value: "profiles\[0\]\.schedulerName"\]$/) });
    expect(ends(join(directory, "missing.yaml"))).toEqual({ code: 1, said: expect.stringMatching(/--scheduler-config .*missing\.yaml can't be used: ENOENT/) });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
