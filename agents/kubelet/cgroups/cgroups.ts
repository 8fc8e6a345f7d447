import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { qosClassOf } from "../../../src/apis/core/pod/qos.ts";
import type { Pod } from "../pod/pod.ts";
import { podResources, type ResourceConfig } from "../runtime/resources.ts";
import { CgroupV1 } from "./v1.ts";
import { CgroupV2 } from "./v2.ts";

/** One version of the kernel's control groups. Paths are absolute within the hierarchy, such as `/kubepods/burstable`. */
export interface CgroupTree {
  readonly version: 1 | 2;
  /** Makes the group, if missing, and sets its limits. */
  apply(path: string, config: ResourceConfig): void;
  /**
   * Removes the group and all below it, in every hierarchy. What still runs in it, which the runtime has lost sight of, is killed;
   * throws EBUSY where it has not gone yet: the next try finds it gone.
   */
  remove(path: string): void;
  /** Names of the groups directly below. */
  children(path: string): string[];
  /** Bytes of memory in use, caches included; undefined when there is no such group. */
  memoryUsage(path: string): number | undefined;
  /** Whether the kernel counts swap by control groups, and has the group's limit in a file of its own. */
  limitsSwap(path: string): boolean;
}

/** The tree of this machine. v1 when any controller is mounted the old way ("hybrid" too), for the runtime uses those then. */
export function openCgroups(mountPoint = "/sys/fs/cgroup"): CgroupTree {
  return existsSync(join(mountPoint, "cgroup.controllers")) ? new CgroupV2(mountPoint) : new CgroupV1(mountPoint);
}

const qosFolder = { Guaranteed: "", Burstable: "burstable", BestEffort: "besteffort" } as const;

/** Pods' groups below one root: `<root>[/burstable|/besteffort]/pod<uid>`, limited to what the pod may use. */
export class PodCgroups {
  #podsByUid = new Map<string, string>();
  constructor(readonly tree: CgroupTree, readonly root: string, private readonly podPidsLimit?: number) {}

  /** Makes the root, limited to what all pods together may use, and the classes. Best-effort pods get the least CPU when others want it. */
  init(forAll: ResourceConfig = {}): void {
    this.tree.apply(this.root, forAll);
    this.tree.apply(join(this.root, "burstable"), { cpuShares: 2 });
    this.tree.apply(join(this.root, "besteffort"), { cpuShares: 2 });
  }

  pathOf(pod: Pod): string {
    return join(this.root, qosFolder[qosClassOf(pod)], `pod${pod.metadata.uid}`);
  }

  /** Idempotent; returns the group's path, the sandbox's `cgroup_parent`. */
  apply(pod: Pod): string {
    const path = this.pathOf(pod);
    if (!this.#podsByUid.has(pod.metadata.uid!)) {
      this.tree.apply(path, podResources(pod, this.podPidsLimit));
      this.#podsByUid.set(pod.metadata.uid!, path);
    }
    return path;
  }

  /** Changes limits of a group that is there. */
  limit(pod: Pod, config: ResourceConfig): void {
    this.tree.apply(this.pathOf(pod), config);
  }

  /** Of the pod, or of one of its containers: whose group lies in the pod's and is called by its id. */
  memoryUsage(pod: Pod, containerId = ""): number | undefined {
    return this.tree.memoryUsage(join(this.pathOf(pod), containerId));
  }

  get limitsSwap(): boolean {
    return this.tree.limitsSwap(this.root);
  }

  remove(uid: string): void {
    for (const folder of Object.values(qosFolder)) this.tree.remove(join(this.root, folder, `pod${uid}`));
    this.#podsByUid.delete(uid);
  }

  /** Sets the burstable class's share of CPU to what its pods ask for together. */
  weighBurstable(pods: readonly Pod[]): void {
    const shares = pods.filter((pod) => qosClassOf(pod) === "Burstable").reduce((sum, pod) => sum + (podResources(pod).cpuShares ?? 0), 0);
    this.tree.apply(join(this.root, "burstable"), { cpuShares: Math.min(262_144, Math.max(2, shares)) });
  }

  /** Uids of all pods that have a group. */
  uids(): string[] {
    return Object.values(qosFolder).flatMap((folder) => this.tree.children(join(this.root, folder))).filter((name) => name.startsWith("pod")).map((name) => name.slice(3));
  }
}

/** Removes a group and those below it, deepest first; no error when there is none. Processes that keep it from going are killed, and EBUSY thrown. */
export function removeTree(directory: string): void {
  try {
    for (const child of childGroups(directory)) removeTree(join(directory, child));
    rmdirSync(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return;
    if (code === "EBUSY") killAll(directory);
    throw error;
  }
}

function killAll(directory: string): void {
  for (const pid of readFileSync(join(directory, "cgroup.procs"), "utf8").split("\n").map(Number)) {
    // 0 stands for processes of another PID namespace, which cannot be named here.
    if (pid === 0) continue;
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

/** A file of one number; undefined when there is none. */
export function readNumber(path: string): number | undefined {
  try {
    return Number(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

export function childGroups(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}
