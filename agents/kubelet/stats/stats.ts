import { readFileSync } from "node:fs";
import type { Clock } from "../../../src/base/clock.ts";
import type { ContainerRuntime } from "../../cri/cri.ts";
import type { PodCgroups } from "../cgroups/cgroups.ts";
import type { Pod } from "../pod/pod.ts";
import type { ProbeResults } from "../probes/probe-manager.ts";
import type { StatsRoutesOptions } from "../server/stats-routes.ts";
import { openCgroupReader } from "./cgroup-usage.ts";
import { DiskUsages } from "./disk-usage.ts";
import { kubeletMetrics, probeMetrics } from "./kubelet-metrics.ts";
import { NodeStats } from "./node-stats.ts";
import { PodDisks, type PodDisksOptions } from "./pod-disk.ts";
import { summarize } from "./summary.ts";
import type { Terminations } from "./terminations.ts";

export interface StatsOptions {
  nodeName: string;
  runtime: ContainerRuntime;
  clock: Clock;
  cgroups: PodCgroups;
  rootDir: string;
  logDir: string;
  pods(): readonly Pod[];
  /** Where a pod's volumes lie, by name. */
  volumes: PodDisksOptions["volumes"];
  probes(): Iterable<ProbeResults>;
  terminations: Terminations;
}

/** What node and pods use: for eviction, and for whoever asks the kubelet. */
export interface Stats {
  /** CPU, memory, processes. */
  node: NodeStats;
  /** Disk, by pod. */
  disks: PodDisks;
  /** What the kubelet's API serves of it. */
  routes: StatsRoutesOptions;
}

export function createStats({ nodeName, runtime, clock, cgroups, rootDir, logDir, pods, volumes, probes, terminations }: StatsOptions): Stats {
  const node = new NodeStats({ runtime, clock, cgroups, reader: openCgroupReader(cgroups.tree.version), rootDir, pods });
  const disks = new PodDisks({ usages: new DiskUsages(clock), logDir, volumes });
  const summary = { nodeName, runtime, stats: node, disks, bootedAt: () => clock.now() - upSeconds() * 1000, ownUsage: () => ownUsage(clock) };
  return {
    node, disks,
    routes: { stats: node, summary: (onlyCpuAndMemory) => summarize(summary, onlyCpuAndMemory), ownMetrics: kubeletMetrics({ nodeName, runtime, disks, pods, terminations }), probeMetrics: () => probeMetrics(probes()) },
  };
}

const upSeconds = (): number => Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);

function ownUsage(clock: Clock): { cpuNanoseconds: number; rssBytes: number; startedAt: number } {
  const { user, system } = process.cpuUsage();
  return { cpuNanoseconds: (user + system) * 1000, rssBytes: process.memoryUsage.rss(), startedAt: clock.now() - process.uptime() * 1000 };
}
