import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parsePressure, type Pressure } from "./pressure.ts";

/** What a control group and all below it use. Bytes and nanoseconds; absent is what the kernel does not count. */
export interface CgroupUsage {
  /** Since the group was made. */
  cpuNanoseconds: number;
  throttling?: { periods: number; throttledPeriods: number; throttledNanoseconds: number };
  memory: MemoryUsage;
  processes?: number;
  pressure?: { cpu: Pressure; memory: Pressure; io: Pressure };
}

export interface MemoryUsage {
  usageBytes: number;
  /** What can't be taken back without harm: in use, less the file cache that was not touched lately. */
  workingSetBytes: number;
  rssBytes: number;
  cacheBytes: number;
  mappedFileBytes: number;
  pageFaults: number;
  majorPageFaults: number;
  /** Undefined without a limit. */
  limitBytes?: number;
  swapBytes?: number;
  swapLimitBytes?: number;
}

/** Reads the usage of control groups from the kernel's files. Paths are absolute within the hierarchy; undefined for a group that has gone. */
export interface CgroupReader {
  usage(path: string): CgroupUsage | undefined;
  /** Ids of the processes in the group itself. */
  processes(path: string): number[];
}

export function openCgroupReader(version: 1 | 2, mountPoint = "/sys/fs/cgroup"): CgroupReader {
  return version === 2 ? unified(mountPoint) : split(mountPoint);
}

/** Limits beyond this are none at all: the kernel's largest number, rounded to pages. */
const noLimit = 2 ** 62;

/** Source: "Memory Interface Files", "CPU Interface Files" of the kernel's documentation of control groups, version 2. */
function unified(mountPoint: string): CgroupReader {
  return {
    usage(path) {
      const directory = join(mountPoint, path);
      const cpu = fields(join(directory, "cpu.stat"));
      const stat = fields(join(directory, "memory.stat"));
      const usageBytes = number(join(directory, "memory.current"));
      if (!cpu || !stat || usageBytes === undefined) return undefined;
      const pressures = ["cpu", "memory", "io"].map((kind) => parsePressure(text(join(directory, `${kind}.pressure`))));
      const [cpuPressure, memoryPressure, ioPressure] = pressures;
      return {
        cpuNanoseconds: (cpu.get("usage_usec") ?? 0) * 1000,
        ...(cpu.has("nr_periods") ? { throttling: { periods: cpu.get("nr_periods")!, throttledPeriods: cpu.get("nr_throttled") ?? 0, throttledNanoseconds: (cpu.get("throttled_usec") ?? 0) * 1000 } } : {}),
        memory: {
          usageBytes, workingSetBytes: Math.max(0, usageBytes - (stat.get("inactive_file") ?? 0)),
          rssBytes: stat.get("anon") ?? 0, cacheBytes: stat.get("file") ?? 0, mappedFileBytes: stat.get("file_mapped") ?? 0,
          pageFaults: stat.get("pgfault") ?? 0, majorPageFaults: stat.get("pgmajfault") ?? 0,
          limitBytes: number(join(directory, "memory.max")), swapBytes: number(join(directory, "memory.swap.current")), swapLimitBytes: number(join(directory, "memory.swap.max")),
        },
        processes: number(join(directory, "pids.current")),
        ...(cpuPressure && memoryPressure && ioPressure ? { pressure: { cpu: cpuPressure, memory: memoryPressure, io: ioPressure } } : {}),
      };
    },
    processes: (path) => ids(join(mountPoint, path, "cgroup.procs")),
  };
}

/** Source: "CPU Accounting Controller" and "Memory Resource Controller" of the kernel's documentation of control groups, version 1. */
function split(mountPoint: string): CgroupReader {
  return {
    usage(path) {
      const memory = join(mountPoint, "memory", path);
      const cpuNanoseconds = number(join(mountPoint, "cpuacct", path, "cpuacct.usage"));
      const stat = fields(join(memory, "memory.stat"));
      const usageBytes = number(join(memory, "memory.usage_in_bytes"));
      if (cpuNanoseconds === undefined || !stat || usageBytes === undefined) return undefined;
      const cpu = fields(join(mountPoint, "cpu", path, "cpu.stat"));
      // Its own: what the groups above it have is theirs to tell.
      const limit = number(join(memory, "memory.limit_in_bytes")), both = number(join(memory, "memory.memsw.limit_in_bytes"));
      return {
        cpuNanoseconds,
        ...(cpu?.has("nr_periods") ? { throttling: { periods: cpu.get("nr_periods")!, throttledPeriods: cpu.get("nr_throttled") ?? 0, throttledNanoseconds: cpu.get("throttled_time") ?? 0 } } : {}),
        memory: {
          usageBytes, workingSetBytes: Math.max(0, usageBytes - (stat.get("total_inactive_file") ?? 0)),
          rssBytes: stat.get("total_rss") ?? 0, cacheBytes: stat.get("total_cache") ?? 0, mappedFileBytes: stat.get("total_mapped_file") ?? 0,
          pageFaults: stat.get("total_pgfault") ?? 0, majorPageFaults: stat.get("total_pgmajfault") ?? 0,
          limitBytes: limit === undefined || limit >= noLimit ? undefined : limit,
          // Without swap accounting the kernel has no such line.
          swapBytes: stat.get("total_swap"), swapLimitBytes: limit === undefined || both === undefined || both >= noLimit ? undefined : Math.max(0, both - limit),
        },
        processes: number(join(mountPoint, "pids", path, "pids.current")),
      };
    },
    processes: (path) => ids(join(mountPoint, "memory", path, "cgroup.procs")),
  };
}

/** Lines of a name and a number. */
function fields(file: string): Map<string, number> | undefined {
  const content = text(file);
  if (content === undefined) return undefined;
  return new Map(content.split("\n").filter(Boolean).map((line) => {
    const space = line.indexOf(" ");
    return [line.slice(0, space), Number(line.slice(space + 1))];
  }));
}

/** `max` stands for no limit, and is undefined as a file that isn't there. */
function number(file: string): number | undefined {
  const value = Number(text(file)?.trim() || NaN);
  return Number.isNaN(value) ? undefined : value;
}

const ids = (file: string): number[] => (text(file) ?? "").split("\n").filter(Boolean).map(Number);

/** A group may go, or a controller be missing, at any time. */
function text(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
