import { statSync } from "node:fs";
import type { Clock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import { qosClassOf } from "../../../src/apis/core/pod/qos.ts";
import { isTolerated } from "../../../src/apis/core/taints.ts";
import type { EventRecorder } from "../../../src/client/recorder.ts";
import type { ContainerRuntime } from "../../cri/cri.ts";
import type { Rejection } from "../pod/admission.ts";
import { podReference } from "../pod/container-reference.ts";
import { gracePeriodSeconds, podName, type Pod } from "../pod/pod.ts";
import { isCritical } from "../pod/preemption.ts";
import type { Verdict } from "../pod/verdict.ts";
import type { NodeStats } from "../stats/node-stats.ts";
import { readFilesystem, type FilesystemUsage } from "../stats/node-usage.ts";
import { writableLayers, type PodDisk, type PodDisks, type WritableLayers } from "../stats/pod-disk.ts";
import { PressureHistory } from "./pressure.ts";
import { diskUsed, evictionMessage, freesDisk, rank, type PodUsage } from "./rank.ts";
import { limitsContainers, limitsVolumes, storageViolation } from "./storage-limits.ts";
import { resourceOf, type Observation, type Observations, type Pressure, type Signal, type Threshold } from "./thresholds.ts";

export interface EvictionOptions {
  clock: Clock;
  log: Logger;
  recorder: EventRecorder;
  runtime: ContainerRuntime;
  nodeName: string;
  /** Of the node's own file system. */
  rootDir: string;
  thresholds: readonly Threshold[];
  /** For how long a pressure is told of after it has gone. Default five minutes. */
  transitionMs?: number;
  /** What pods get at most to end when a soft threshold is met. Default none. */
  maxPodGraceSeconds?: number;
  stats: Pick<NodeStats, "node" | "sample">;
  disks: PodDisks;
  /** Those that run, or are to. */
  pods(): readonly Pod[];
  /** Ends a pod; resolves when what it had is free. */
  evict(uid: string, verdict: Verdict, graceSeconds: number): Promise<void>;
  /** Frees disk without harm to a pod. */
  reclaimDisk(): Promise<void>;
  /** The node's pressures are others now. */
  onPressure(): void;
}

/** As often as a kubelet looks (evictionMonitoringPeriod): a few files of the kernel. */
const lookMs = 10_000;
/** Looking for those that exceed their disk may take so much of the time: counting reads every inode. */
const leastStorageLookMs = 10_000, storageShare = 50;
const cleanUpMs = 30_000;
const immediateGraceSeconds = 1;

/** Keeps the node from running out of memory, disk and processes, at the expense of the pods that take most of it beyond what they asked for. */
export class Eviction {
  readonly #options: EvictionOptions;
  readonly #history: PressureHistory;
  #pressures: readonly Pressure[] = [];
  /** Of what at the last look, for the log to tell it once. */
  #short?: Signal | undefined;
  #imageFs?: { path: string; dedicated: boolean };
  #storageLookAt = -Infinity;

  constructor(options: EvictionOptions) {
    this.#options = options;
    this.#history = new PressureHistory(options.thresholds, options.transitionMs ?? 5 * 60_000);
  }

  get pressures(): readonly Pressure[] {
    return this.#pressures;
  }

  /** Why a pod that comes now is not taken; undefined when it is. Source: k8s.io/kubernetes/pkg/kubelet/eviction Admit. */
  rejection(pod: Pod): Rejection | undefined {
    if (this.#pressures.length === 0 || isCritical(pod)) return undefined;
    if (this.#pressures.every((pressure) => pressure === "MemoryPressure")) {
      if (qosClassOf(pod) !== "BestEffort") return undefined;
      if (isTolerated({ key: "node.kubernetes.io/memory-pressure", effect: "NoSchedule" }, pod.spec.tolerations)) return undefined;
    }
    return { reason: "Evicted", message: `The node had condition: [${this.#pressures.join(" ")}]. ` };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      let evicted = false;
      try {
        evicted = await this.look(signal);
      } catch (error) {
        if (!signal.aborted) log.warn("Whether the node is short of something is not known", { error });
      }
      // Whoever has gone may have been enough.
      if (!evicted) await clock.sleep(lookMs, signal).catch(() => undefined);
    }
  }

  /** Looks once, and acts; whether a pod had to go. */
  async look(signal: AbortSignal): Promise<boolean> {
    const { clock, log, nodeName, recorder } = this.#options;
    const observations = await this.#observe();
    const { pressures, due } = this.#history.observe(observations, clock.monotonic());
    if (pressures.join() !== this.#pressures.join()) {
      this.#pressures = pressures;
      this.#options.onPressure();
    }
    if (await this.#enforceStorageLimits(signal)) return true;
    const [first] = due;
    const already = this.#short;
    this.#short = first?.signal;
    if (!first) return false;
    const resource = resourceOf[first.signal];
    if (first.signal !== already) log.warn("The node is short of something", { signal: first.signal, ...observations.get(first.signal) });
    recorder.event({ kind: "Node", apiVersion: "v1", name: nodeName, uid: nodeName, namespace: "" }, "Warning", "EvictionThresholdMet", `Attempting to reclaim ${resource}`);
    if (resource === "ephemeral-storage" || resource === "inodes") {
      await this.#options.reclaimDisk();
      if (this.#history.resolved(await this.#observe())) return false;
    }
    const evicted = await this.#evictOne(due, observations, signal);
    if (!evicted && first.signal !== already) log.warn("The node is short of something, and no pod can be ended for it", { signal: first.signal });
    return evicted;
  }

  async #observe(): Promise<Observations> {
    const { stats, rootDir } = this.#options;
    const { memory, pids } = stats.node();
    const observations = new Map<Signal, Observation>([
      ["memory.available", { available: memory.availableBytes, capacity: memory.capacityBytes }],
      ["pid.available", { available: pids.most - pids.used, capacity: pids.most }],
    ]);
    const imageFs = await this.#findImageFs();
    const add = (name: "nodefs" | "imagefs", filesystem: FilesystemUsage | undefined): void => {
      if (!filesystem) return;
      observations.set(`${name}.available`, { available: filesystem.availableBytes, capacity: filesystem.capacityBytes });
      // Some file systems make inodes as they are needed.
      if (filesystem.inodes > 0) observations.set(`${name}.inodesFree`, { available: filesystem.inodesFree, capacity: filesystem.inodes });
    };
    add("nodefs", readFilesystem(rootDir));
    if (imageFs) add("imagefs", readFilesystem(imageFs.path));
    return observations;
  }

  /** Asked for once: the runtime keeps its images where they are. */
  async #findImageFs(): Promise<{ path: string; dedicated: boolean } | undefined> {
    if (this.#imageFs) return this.#imageFs;
    const { imageFilesystems = [] } = await this.#options.runtime.images.imageFsInfo({}).catch(() => ({ imageFilesystems: [] }));
    const path = imageFilesystems[0]?.fsId?.mountpoint;
    const device = path && statSync(path, { throwIfNoEntry: false })?.dev;
    if (path && device !== undefined) this.#imageFs = { path, dedicated: device !== statSync(this.#options.rootDir).dev };
    return this.#imageFs;
  }

  /** The first in the order that may go; one at a time, for that may be enough. */
  async #evictOne(due: readonly Threshold[], observations: Observations, signal: AbortSignal): Promise<boolean> {
    const { maxPodGraceSeconds = 0 } = this.#options;
    const [first] = due as [Threshold];
    const usages = await this.#usages(first.signal);
    for (const usage of rank(resourceOf[first.signal], usages)) {
      const { pod } = usage;
      if (isCritical(pod) || !freesDisk(usage, first, observations)) continue;
      const graceSeconds = first.graceMs === 0 ? immediateGraceSeconds : Math.min(maxPodGraceSeconds, gracePeriodSeconds(pod));
      const message = evictionMessage(usage, due, observations);
      await this.#evict(pod, { reason: "Evicted", message, disruption: message }, graceSeconds, signal);
      return true;
    }
    return false;
  }

  async #usages(signal: Signal): Promise<PodUsage[]> {
    const { stats, disks, runtime } = this.#options;
    const pods = this.#options.pods();
    const resource = resourceOf[signal];
    if (resource === "memory" || resource === "pids") {
      const byUid = new Map((await stats.sample()).byPod.map((sample) => [sample.pod.metadata.uid, sample]));
      return pods.map((pod): PodUsage => {
        const sample = byUid.get(pod.metadata.uid);
        const used = resource === "memory" ? sample?.usage.memory.workingSetBytes : sample?.usage.processes;
        return { pod, ...(used === undefined ? {} : { used }), containers: new Map((sample?.containers ?? []).map(({ name, usage }) => [name, usage.memory.workingSetBytes])) };
      });
    }
    const layers = await writableLayers(runtime);
    const dedicated = (await this.#findImageFs())?.dedicated ?? false;
    return Promise.all(pods.map(async (pod) => ({ pod, ...diskUsed(signal, await disks.of(pod, layers), dedicated) })));
  }

  /** Ends pods that use more disk than they may. Costs nothing where none has a limit, and else little of the time. */
  async #enforceStorageLimits(signal: AbortSignal): Promise<boolean> {
    const { clock, disks, runtime } = this.#options;
    const limited = this.#options.pods().filter((pod) => limitsVolumes(pod) || limitsContainers(pod));
    const begun = clock.monotonic();
    if (limited.length === 0 || begun < this.#storageLookAt) return false;
    const dedicated = (await this.#findImageFs())?.dedicated ?? false;
    const layers: WritableLayers = limited.some(limitsContainers) ? await writableLayers(runtime) : new Map();
    const going: Promise<void>[] = [];
    for (const pod of limited) {
      const disk: PodDisk = limitsContainers(pod) ? await disks.of(pod, layers) : { containers: new Map(), volumes: await disks.volumes(pod), ephemeral: { bytes: 0, inodes: 0 } };
      const message = storageViolation(pod, disk, dedicated);
      if (message && !isCritical(pod)) going.push(this.#evict(pod, { reason: "Evicted", message }, immediateGraceSeconds, signal));
    }
    const ended = clock.monotonic();
    this.#storageLookAt = ended + Math.max(leastStorageLookMs, (ended - begun) * storageShare) - 1;
    await Promise.all(going);
    return going.length > 0;
  }

  /** Until nothing of it runs, or it takes too long. */
  async #evict(pod: Pod, verdict: Verdict, graceSeconds: number, signal: AbortSignal): Promise<void> {
    const { clock, log, recorder, evict } = this.#options;
    log.warn("Pod evicted", { pod: podName(pod), message: verdict.message });
    recorder.event(podReference(pod), "Warning", verdict.reason, verdict.message);
    const patience = new AbortController();
    await Promise.race([evict(pod.metadata.uid!, verdict, graceSeconds), clock.sleep(cleanUpMs, AbortSignal.any([signal, patience.signal])).catch(() => undefined)]);
    patience.abort();
  }
}
