import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { quotaPeriod, type ResourceConfig } from "../runtime/resources.ts";
import { childGroups, readNumber, removeTree, type CgroupTree } from "./cgroups.ts";

const limited = ["cpu", "memory", "pids"] as const;

/** One hierarchy per controller, mounted side by side (`/sys/fs/cgroup/memory/…`); groups are removed from all of them. */
export class CgroupV1 implements CgroupTree {
  readonly version = 1;
  constructor(private readonly mountPoint: string) {}

  apply(path: string, { cpuShares, cpuQuota, memory, pids }: ResourceConfig): void {
    for (const controller of limited) if (existsSync(join(this.mountPoint, controller))) mkdirSync(join(this.mountPoint, controller, path), { recursive: true });
    if (cpuShares !== undefined) this.#write("cpu", path, "cpu.shares", cpuShares);
    if (cpuQuota !== undefined) {
      this.#write("cpu", path, "cpu.cfs_period_us", quotaPeriod);
      this.#write("cpu", path, "cpu.cfs_quota_us", cpuQuota);
    }
    if (memory !== undefined) this.#write("memory", path, "memory.limit_in_bytes", memory);
    if (pids !== undefined) this.#write("pids", path, "pids.max", pids);
  }

  remove(path: string): void {
    for (const hierarchy of readdirSync(this.mountPoint)) removeTree(join(this.mountPoint, hierarchy, path));
  }

  children(path: string): string[] {
    return [...new Set(readdirSync(this.mountPoint).flatMap((hierarchy) => childGroups(join(this.mountPoint, hierarchy, path))))];
  }

  memoryUsage(path: string): number | undefined {
    return readNumber(join(this.mountPoint, "memory", path, "memory.usage_in_bytes"));
  }

  /** Here the limit is one of memory and swap together, and goes with that of memory. */
  limitsSwap(): boolean {
    return false;
  }

  #write(controller: string, path: string, file: string, value: number): void {
    const target = join(this.mountPoint, controller, path, file);
    if (existsSync(target)) writeFileSync(target, String(value));
  }
}
