import { time } from "../status/container-status.ts";
import type { CgroupUsage } from "./cgroup-usage.ts";
import type { DiskUsage } from "./disk-usage.ts";
import { defaultInterface, interfacesOf, type InterfaceUsage } from "./network-usage.ts";
import type { ContainerSample, NodeStats, PodSample, Sample } from "./node-stats.ts";
import type { FilesystemUsage } from "./node-usage.ts";
import type { PodDisk } from "./pod-disk.ts";
import { writableLayers, type PodDisks } from "./pod-disk.ts";
import type * as api from "./summary-api.ts";
import type { ContainerRuntime } from "../../cri/cri.ts";

export interface SummaryOptions {
  nodeName: string;
  runtime: ContainerRuntime;
  stats: NodeStats;
  disks: PodDisks;
  /** Milliseconds since the epoch. */
  bootedAt(): number;
  /** What this process uses: the kubelet and what shares its process. */
  ownUsage(): { cpuNanoseconds: number; rssBytes: number; startedAt: number };
}

/** `/stats/summary`; CPU and memory alone where asked, which touches no disk. Throws `GrpcError`. */
export async function summarize(options: SummaryOptions, onlyCpuAndMemory: boolean): Promise<api.Summary> {
  const { stats, disks, nodeName, runtime } = options;
  const sample = await stats.sample();
  const at = time(sample.at);
  if (onlyCpuAndMemory) return { node: { ...machine(options, sample), nodeName }, pods: sample.byPod.map((pod) => podStats(stats, sample, pod)) };
  const [images, layers] = await Promise.all([stats.imageFilesystem(), writableLayers(runtime)]);
  const node = stats.nodeFilesystem();
  const pods = await Promise.all(sample.byPod.map(async (pod) => withDisk(podStats(stats, sample, pod), await disks.of(pod.pod, layers), { at, node, images })));
  return {
    node: {
      ...machine(options, sample), nodeName, network: network(at, interfacesOf("self") ?? [], defaultInterface()), fs: node && wholeFs(at, node),
      runtime: { imageFs: images && { ...wholeFs(at, images), usedBytes: images.imageBytes }, containerFs: images && wholeFs(at, images) },
      rlimit: { time: at, maxpid: sample.node.pids.most, curproc: sample.node.pids.used },
    },
    pods,
  };
}

function machine({ stats, bootedAt, ownUsage }: SummaryOptions, sample: Sample): Omit<api.NodeStats, "nodeName"> {
  const at = time(sample.at);
  const { cpuNanoseconds, memory, pressure } = sample.node, own = ownUsage();
  const pods = sample.pods && { name: "pods", startTime: time(bootedAt()), ...cpuAndMemory(at, sample.pods, stats.rate(sample, (each) => each.pods?.cpuNanoseconds), memory.capacityBytes) };
  return {
    startTime: time(bootedAt()),
    systemContainers: [
      { name: "kubelet", startTime: time(own.startedAt), cpu: { time: at, usageCoreNanoSeconds: own.cpuNanoseconds }, memory: { time: at, usageBytes: own.rssBytes, workingSetBytes: own.rssBytes, rssBytes: own.rssBytes } },
      ...(pods ? [pods] : []),
    ],
    cpu: { time: at, usageNanoCores: stats.rate(sample, (each) => each.node.cpuNanoseconds), usageCoreNanoSeconds: cpuNanoseconds, ...(pressure ? { psi: pressure.cpu } : {}) },
    memory: {
      time: at, availableBytes: memory.availableBytes, usageBytes: memory.usageBytes, workingSetBytes: memory.workingSetBytes, rssBytes: memory.rssBytes,
      pageFaults: memory.pageFaults, majorPageFaults: memory.majorPageFaults, ...(pressure ? { psi: pressure.memory } : {}),
    },
    ...(pressure ? { io: { time: at, psi: pressure.io } } : {}),
    swap: { time: at, swapAvailableBytes: memory.swapCapacityBytes - memory.swapUsedBytes, swapUsageBytes: memory.swapUsedBytes },
  };
}

function podStats(stats: NodeStats, sample: Sample, { pod, startedAt, usage, interfaces, containers }: PodSample): api.PodStats {
  const at = time(sample.at), { name, namespace, uid } = pod.metadata;
  const same = (each: Sample): PodSample | undefined => each.byPod.find((other) => other.pod.metadata.uid === uid);
  return {
    podRef: { name: name!, namespace: namespace!, uid: uid! }, startTime: time(startedAt),
    containers: containers.map((container) => containerStats(at, container, stats.rate(sample, (each) => same(each)?.containers.find(({ id }) => id === container.id)?.usage.cpuNanoseconds))),
    ...cpuAndMemory(at, usage, stats.rate(sample, (each) => same(each)?.usage.cpuNanoseconds)),
    ...(interfaces ? { network: network(at, interfaces, "eth0") } : {}),
    ...(usage.processes === undefined ? {} : { process_stats: { process_count: usage.processes } }),
  };
}

const containerStats = (at: string, { name, startedAt, usage }: ContainerSample, rate: number | undefined): api.ContainerStats => ({ name, startTime: time(startedAt), ...cpuAndMemory(at, usage, rate) });

/** What a limit leaves; the node's capacity stands for one where there is none. */
function cpuAndMemory(at: string, { cpuNanoseconds, memory, pressure }: CgroupUsage, usageNanoCores: number | undefined, capacityBytes?: number): Pick<api.ContainerStats, "cpu" | "memory" | "io" | "swap"> {
  const limit = memory.limitBytes ?? capacityBytes;
  return {
    cpu: { time: at, ...(usageNanoCores === undefined ? {} : { usageNanoCores }), usageCoreNanoSeconds: cpuNanoseconds, ...(pressure ? { psi: pressure.cpu } : {}) },
    memory: {
      time: at, ...(limit === undefined ? {} : { availableBytes: Math.max(0, limit - memory.workingSetBytes) }), usageBytes: memory.usageBytes, workingSetBytes: memory.workingSetBytes,
      rssBytes: memory.rssBytes, pageFaults: memory.pageFaults, majorPageFaults: memory.majorPageFaults, ...(pressure ? { psi: pressure.memory } : {}),
    },
    ...(pressure ? { io: { time: at, psi: pressure.io } } : {}),
    ...(memory.swapBytes === undefined ? {} : { swap: { time: at, swapUsageBytes: memory.swapBytes, ...(memory.swapLimitBytes === undefined ? {} : { swapAvailableBytes: Math.max(0, memory.swapLimitBytes - memory.swapBytes) }) } }),
  };
}

function network(at: string, interfaces: readonly InterfaceUsage[], main: string | undefined): api.NetworkStats {
  const all = interfaces.map(({ name, rxBytes, rxErrors, txBytes, txErrors }): api.InterfaceStats => ({ name, rxBytes, rxErrors, txBytes, txErrors }));
  return { time: at, ...all.find(({ name }) => name === main), interfaces: all };
}

function withDisk(stats: api.PodStats, disk: PodDisk, { at, node, images }: { at: string; node?: FilesystemUsage; images?: FilesystemUsage }): api.PodStats {
  return {
    ...stats,
    containers: stats.containers.map((container) => {
      const { rootfs, logs } = disk.containers.get(container.name) ?? {};
      return { ...container, ...(rootfs ? { rootfs: partOf(at, images, rootfs) } : {}), ...(logs ? { logs: partOf(at, node, logs) } : {}) };
    }),
    volume: disk.volumes.map(({ name, usage, filesystem, claim, abnormal }) => ({ ...partOf(at, filesystem, usage), name, ...(claim ? { pvcRef: { name: claim, namespace: stats.podRef.namespace } } : {}), ...(abnormal === undefined ? {} : { volumeHealthStats: { abnormal } }) })),
    "ephemeral-storage": partOf(at, node, disk.ephemeral),
  };
}

const wholeFs = (time: string, { capacityBytes, availableBytes, usedBytes, inodes, inodesFree }: FilesystemUsage): api.FsStats => ({ time, availableBytes, capacityBytes, usedBytes, inodesFree, inodes, inodesUsed: inodes - inodesFree });

/** What somebody takes of a file system. */
function partOf(time: string, filesystem: FilesystemUsage | undefined, { bytes, inodes }: DiskUsage): api.FsStats {
  if (!filesystem) return { time, usedBytes: bytes, inodesUsed: inodes };
  return { ...wholeFs(time, filesystem), usedBytes: bytes, inodesUsed: inodes };
}
