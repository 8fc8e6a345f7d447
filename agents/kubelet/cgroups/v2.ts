import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { quotaPeriod, sharesToWeight, type ResourceConfig } from "../runtime/resources.ts";
import { childGroups, readNumber, removeTree, type CgroupTree } from "./cgroups.ts";

/**
 * Pods are limited by these: a node without one of them can't keep its promises. Memory is first because the kernel refuses it for a group with
 * processes, and hands cpu and pids down all the same: the group would be a threaded one then, of no use to containers.
 */
const required = ["memory", "cpu", "pids"] as const;
/** Handed down where the kernel has them, for runtimes that use them. */
const optional = ["cpuset", "io", "hugetlb"] as const;

/** How groups are made and their files written. */
export interface CgroupWriter {
  mkdir(directory: string): void;
  write(file: string, text: string): void;
}

const kernel: CgroupWriter = { mkdir: (directory) => mkdirSync(directory), write: (file, text) => writeFileSync(file, text) };

/**
 * The unified hierarchy. Each ancestor must hand its controllers down before a group can use them.
 * Source: "Control Group v2" in the kernel's documentation, chapters 2-4 and 5-1 to 5-3.
 */
export class CgroupV2 implements CgroupTree {
  readonly version = 2;
  constructor(private readonly mountPoint: string, private readonly writer: CgroupWriter = kernel) {}

  apply(path: string, { cpuShares, cpuQuota, memory, pids }: ResourceConfig): void {
    const directory = join(this.mountPoint, path);
    // Somebody else, an init system say, may have made the group without our controllers, or have taken them back.
    const missing = !existsSync(directory) || required.some((controller) => !words(directory, "cgroup.controllers").includes(controller));
    if (missing) this.#delegate(path);
    if (cpuShares !== undefined) this.writer.write(join(directory, "cpu.weight"), String(sharesToWeight(cpuShares)));
    if (cpuQuota !== undefined) this.writer.write(join(directory, "cpu.max"), `${cpuQuota} ${quotaPeriod}`);
    if (memory !== undefined) this.writer.write(join(directory, "memory.max"), String(memory));
    if (pids !== undefined) this.writer.write(join(directory, "pids.max"), String(pids));
  }

  remove(path: string): void {
    removeTree(join(this.mountPoint, path));
  }

  children(path: string): string[] {
    return childGroups(join(this.mountPoint, path));
  }

  memoryUsage(path: string): number | undefined {
    return readNumber(join(this.mountPoint, path, "memory.current"));
  }

  limitsSwap(path: string): boolean {
    return existsSync(join(this.mountPoint, path, "memory.swap.max"));
  }

  /** Makes the group and those above it; each of these hands down what it has, from the root on. */
  #delegate(path: string): void {
    const above = dirname(path);
    if (above !== path) this.#delegate(above);
    const directory = join(this.mountPoint, path);
    if (!existsSync(directory)) this.writer.mkdir(directory);
    if (above !== path) this.#handDown(above);
  }

  #handDown(path: string): void {
    const directory = join(this.mountPoint, path);
    const available = words(directory, "cgroup.controllers");
    for (const controller of required) if (!available.includes(controller)) throw new Error(whyMissing(controller));
    const enabled = words(directory, "cgroup.subtree_control");
    // One by one: the kernel takes all controllers of a write or none.
    for (const controller of [...required, ...optional]) {
      if (enabled.includes(controller) || !available.includes(controller)) continue;
      try {
        this.writer.write(join(directory, "cgroup.subtree_control"), `+${controller}`);
      } catch (error) {
        if (isRequired(controller)) throw new Error(whyRefused(controller, directory, error as NodeJS.ErrnoException), { cause: error });
      }
    }
  }
}

const words = (directory: string, file: string): string[] => readFileSync(join(directory, file), "utf8").split(/\s+/);

const isRequired = (controller: string): boolean => (required as readonly string[]).includes(controller);

function whyMissing(controller: string): string {
  const remedy = controller === "memory"
    ? "boot with cgroup_enable=memory on the kernel command line (on a Raspberry Pi: add cgroup_memory=1 cgroup_enable=memory to the one line in /boot/firmware/cmdline.txt)"
    : `boot a kernel that has it, without cgroup_disable=${controller}`;
  return `the kernel's ${controller} controller for control groups is off, or in use by a cgroup v1 mount: ${remedy}`;
}

function whyRefused(controller: string, directory: string, error: NodeJS.ErrnoException): string {
  const reasons: Record<string, string> = {
    EBUSY: "processes run in the group itself; move them to a group below it",
    EINVAL: controller === "cpu" ? "a real-time process runs outside the root group" : "the kernel does not allow it here",
    ENOTSUP: "the group is a threaded one",
    EROFS: "the control groups are mounted read-only",
    EACCES: "this takes root's permissions",
  };
  return `the ${controller} controller cannot be handed down in ${directory}: ${reasons[error.code ?? ""] ?? error.message}`;
}
