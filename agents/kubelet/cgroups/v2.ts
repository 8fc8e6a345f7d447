import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { quotaPeriod, sharesToWeight, type ResourceConfig } from "../runtime/resources.ts";
import { childGroups, removeTree, type CgroupTree } from "./cgroups.ts";

/** The unified hierarchy. Each ancestor must hand its controllers down before a group can use them. */
export class CgroupV2 implements CgroupTree {
  readonly version = 2;
  constructor(private readonly mountPoint: string) {}

  apply(path: string, { cpuShares, cpuQuota, memory, pids }: ResourceConfig): void {
    const directory = join(this.mountPoint, path);
    if (!existsSync(directory)) {
      mkdirSync(directory, { recursive: true });
      this.#delegate(path);
    }
    if (cpuShares !== undefined) writeFileSync(join(directory, "cpu.weight"), String(sharesToWeight(cpuShares)));
    if (cpuQuota !== undefined) writeFileSync(join(directory, "cpu.max"), `${cpuQuota} ${quotaPeriod}`);
    if (memory !== undefined) writeFileSync(join(directory, "memory.max"), String(memory));
    if (pids !== undefined) writeFileSync(join(directory, "pids.max"), String(pids));
  }

  remove(path: string): void {
    removeTree(join(this.mountPoint, path));
  }

  children(path: string): string[] {
    return childGroups(join(this.mountPoint, path));
  }

  #delegate(path: string): void {
    const ancestors: string[] = [];
    for (let parent = dirname(path); ; parent = dirname(parent)) {
      ancestors.unshift(parent);
      if (parent === "/" || parent === ".") break;
    }
    for (const ancestor of ancestors) {
      const directory = join(this.mountPoint, ancestor);
      const controllers = readFileSync(join(directory, "cgroup.controllers"), "utf8").trim().split(" ");
      const wanted = controllers.filter((controller) => ["cpu", "cpuset", "io", "memory", "pids", "hugetlb"].includes(controller));
      if (wanted.length > 0) writeFileSync(join(directory, "cgroup.subtree_control"), wanted.map((controller) => `+${controller}`).join(" "));
    }
  }
}
