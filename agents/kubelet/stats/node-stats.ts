import { join } from "node:path";
import type { Clock } from "../../../src/base/clock.ts";
import type { ContainerRuntime } from "../../cri/cri.ts";
import { ContainerState, PodSandboxState, type Container as CriContainer, type PodSandbox } from "../../cri/generated/messages.ts";
import type { PodCgroups } from "../cgroups/cgroups.ts";
import { isHostNetwork, type Pod } from "../pod/pod.ts";
import { containerNameLabel, podUidLabel } from "../runtime/labels.ts";
import type { CgroupReader, CgroupUsage } from "./cgroup-usage.ts";
import { interfacesOf, type InterfaceUsage } from "./network-usage.ts";
import { readFilesystem, readNodeUsage, type FilesystemUsage, type NodeUsage } from "./node-usage.ts";

/** What node, pods and containers had used at one moment; counters run from when each began. */
export interface Sample {
  /** Milliseconds since the epoch, and on the monotonic clock. */
  at: number;
  monotonic: number;
  node: NodeUsage;
  /** All pods together. */
  pods?: CgroupUsage;
  byPod: readonly PodSample[];
}

export interface PodSample {
  pod: Pod;
  /** Milliseconds since the epoch. */
  startedAt: number;
  /** The path of its control group, and what that used. */
  cgroup: string;
  usage: CgroupUsage;
  /** Undefined for pods in the node's network. */
  interfaces?: readonly InterfaceUsage[];
  containers: readonly ContainerSample[];
}

export interface ContainerSample {
  name: string;
  id: string;
  image: string;
  startedAt: number;
  cgroup: string;
  usage: CgroupUsage;
}

export interface NodeStatsOptions {
  runtime: ContainerRuntime;
  clock: Clock;
  cgroups: PodCgroups;
  reader: CgroupReader;
  /** Volumes and pods' files: the node's own file system. */
  rootDir: string;
  /** Those of this node that have not been forgotten. */
  pods(): readonly Pod[];
}

/** Several readers at once, such as the endpoints of one scrape, share a sample. */
const shareMs = 500;
/** A rate over less than this says little, and over much more is stale. */
const leastWindowMs = 500, rollMs = 10_000;

/**
 * What node and pods use, read from the kernel's files when somebody asks; nobody is asked in between, so that an idle node costs nothing.
 * Of the runtime it needs the list of running containers alone.
 */
export class NodeStats {
  #latest?: Sample;
  /** What rates are worked out against. */
  #earlier?: Sample;
  #sampling?: Promise<Sample>;
  constructor(private readonly options: NodeStatsOptions) {}

  /** The machine as a whole: files of the kernel, no call to anybody. */
  node(): NodeUsage {
    return readNodeUsage();
  }

  /** The file system of the node's own files and of pods' volumes. */
  nodeFilesystem(): FilesystemUsage | undefined {
    return readFilesystem(this.options.rootDir);
  }

  /** That of images and containers' writable layers, and what images and snapshots take of it; undefined when the runtime doesn't tell. */
  async imageFilesystem(): Promise<(FilesystemUsage & { imageBytes: number }) | undefined> {
    const { imageFilesystems = [] } = await this.options.runtime.images.imageFsInfo({});
    const [first] = imageFilesystems;
    const filesystem = first?.fsId?.mountpoint ? readFilesystem(first.fsId.mountpoint) : undefined;
    return filesystem && { ...filesystem, imageBytes: first!.usedBytes?.value ?? 0 };
  }

  /** What a pod's control group uses; undefined while it has none. */
  pod(pod: Pod): CgroupUsage | undefined {
    return this.options.reader.usage(this.options.cgroups.pathOf(pod));
  }

  /** A sample that is at most half a second old. Throws `GrpcError`. */
  sample(): Promise<Sample> {
    if (this.#latest && this.options.clock.monotonic() - this.#latest.monotonic < shareMs) return Promise.resolve(this.#latest);
    return (this.#sampling ??= this.#take().finally(() => {
      this.#sampling = undefined;
    }));
  }

  /** Nanoseconds of CPU a second that went on until `sample`, found by the same look into an earlier one; undefined while there is none. */
  rate(sample: Sample, counter: (sample: Sample) => number | undefined): number | undefined {
    const earlier = this.#earlier;
    const before = earlier && counter(earlier), now = counter(sample);
    if (before === undefined || now === undefined || now < before) return undefined;
    const ms = sample.monotonic - earlier!.monotonic;
    return ms < leastWindowMs ? undefined : Math.round(((now - before) / ms) * 1000);
  }

  async #take(): Promise<Sample> {
    const { runtime, clock, cgroups, reader } = this.options;
    const [{ containers = [] }, { items = [] }] = await Promise.all([
      runtime.runtime.listContainers({ filter: { state: { state: ContainerState.CONTAINER_RUNNING } } }),
      runtime.runtime.listPodSandbox({ filter: { state: { state: PodSandboxState.SANDBOX_READY } } }),
    ]);
    const containersOf = Map.groupBy(containers, ({ labels }) => labels?.[podUidLabel]);
    const sandboxOf = new Map(items.map((sandbox) => [sandbox.labels?.[podUidLabel], sandbox]));
    const byPod = this.options.pods().map((pod) => this.#podSample(pod, sandboxOf.get(pod.metadata.uid), containersOf.get(pod.metadata.uid) ?? [])).filter((sample) => sample !== undefined);
    const pods = reader.usage(cgroups.root);
    const sample: Sample = { at: clock.now(), monotonic: clock.monotonic(), node: readNodeUsage(), ...(pods ? { pods } : {}), byPod };
    if (this.#latest && (!this.#earlier || sample.monotonic - this.#earlier.monotonic >= rollMs)) this.#earlier = this.#latest;
    this.#latest = sample;
    return sample;
  }

  #podSample(pod: Pod, sandbox: PodSandbox | undefined, containers: readonly CriContainer[]): PodSample | undefined {
    if (!sandbox) return undefined;
    const { reader, cgroups } = this.options;
    const cgroup = cgroups.pathOf(pod);
    // Before the whole, which grows meanwhile: no part of it is to show more than it.
    const parts = containers.map((container) => this.#containerSample(cgroup, container)).filter((sample) => sample !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
    const usage = reader.usage(cgroup);
    if (!usage) return undefined;
    const [holder] = isHostNetwork(pod) ? [] : reader.processes(join(cgroup, sandbox.id ?? ""));
    const interfaces = holder === undefined ? undefined : interfacesOf(holder);
    return {
      pod, startedAt: milliseconds(sandbox.createdAt), cgroup, usage, ...(interfaces ? { interfaces } : {}), containers: parts,
    };
  }

  #containerSample(podCgroup: string, { id = "", labels, image, createdAt }: CriContainer): ContainerSample | undefined {
    const cgroup = join(podCgroup, id);
    const usage = this.options.reader.usage(cgroup);
    return usage && { name: labels?.[containerNameLabel] ?? "", id, image: image?.userSpecifiedImage || image?.image || "", startedAt: milliseconds(createdAt), cgroup, usage };
  }
}

const milliseconds = (nanoseconds = 0): number => Math.floor(nanoseconds / 1e6);
