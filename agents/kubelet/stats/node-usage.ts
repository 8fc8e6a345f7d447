import { readFileSync, statfsSync } from "node:fs";
import { parsePressure, type Pressure } from "./pressure.ts";

/** A file system, as statfs tells of it. */
export interface FilesystemUsage {
  capacityBytes: number;
  availableBytes: number;
  usedBytes: number;
  /** 0 where inodes are made as they are needed (btrfs): there is no shortage of them then. */
  inodes: number;
  inodesFree: number;
}

export interface NodeMemory {
  capacityBytes: number;
  /** Capacity less the working set: what pods can still get. */
  availableBytes: number;
  usageBytes: number;
  workingSetBytes: number;
  rssBytes: number;
  pageFaults: number;
  majorPageFaults: number;
  swapCapacityBytes: number;
  swapUsedBytes: number;
}

/** What the whole machine uses. */
export interface NodeUsage {
  cpuNanoseconds: number;
  memory: NodeMemory;
  /** Of processes and threads: the kernel counts them as one. */
  pids: { used: number; most: number };
  pressure?: { cpu: Pressure; memory: Pressure; io: Pressure };
}

/**
 * From files of the kernel alone: cheap enough to ask every few seconds. The working set is what is in use less the file cache not touched lately, as in
 * https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#eviction-signals, for both versions of control groups.
 */
export function readNodeUsage(proc = "/proc"): NodeUsage {
  const read = (name: string): string => readFileSync(`${proc}/${name}`, "utf8");
  const meminfo = numbersOf(read("meminfo"), /^(\S+):\s+(\d+)/gm), vmstat = numbersOf(read("vmstat"), /^(\S+) (\d+)/gm);
  const kib = (name: string): number => (meminfo.get(name) ?? 0) * 1024;
  const usageBytes = kib("MemTotal") - kib("MemFree");
  const workingSetBytes = Math.max(0, usageBytes - kib("Inactive(file)"));
  const most = Math.min(Number(read("sys/kernel/pid_max")), Number(read("sys/kernel/threads-max")));
  const pressures = ["cpu", "memory", "io"].map((kind) => parsePressure(tryRead(`${proc}/pressure/${kind}`)));
  const [cpu, memory, io] = pressures;
  return {
    cpuNanoseconds: cpuNanoseconds(read("stat")),
    memory: {
      capacityBytes: kib("MemTotal"), availableBytes: kib("MemTotal") - workingSetBytes, usageBytes, workingSetBytes, rssBytes: kib("AnonPages"),
      pageFaults: vmstat.get("pgfault") ?? 0, majorPageFaults: vmstat.get("pgmajfault") ?? 0,
      swapCapacityBytes: kib("SwapTotal"), swapUsedBytes: kib("SwapTotal") - kib("SwapFree"),
    },
    pids: { used: Number(read("loadavg").split(/[ /]/)[4] ?? 0), most },
    ...(cpu && memory && io ? { pressure: { cpu, memory, io } } : {}),
  };
}

/** User, nice, system, interrupts and steal, in hundredths of a second: all but idle and waiting. Time of guests is in that of users. */
function cpuNanoseconds(stat: string): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = /^cpu\s+(.*)$/m.exec(stat)![1]!.split(" ").map(Number);
  return (user + nice + system + irq + softirq + steal) * 1e7;
}

const numbersOf = (text: string, line: RegExp): Map<string, number> => new Map([...text.matchAll(line)].map(([, name, value]) => [name!, Number(value)]));

export function readFilesystem(path: string): FilesystemUsage | undefined {
  try {
    const { blocks, bavail, bfree, bsize, files, ffree } = statfsSync(path);
    return { capacityBytes: blocks * bsize, availableBytes: bavail * bsize, usedBytes: (blocks - bfree) * bsize, inodes: files, inodesFree: ffree };
  } catch {
    return undefined;
  }
}

function tryRead(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
