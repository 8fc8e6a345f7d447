import { existsSync, readdirSync, readFileSync, statfsSync } from "node:fs";
import { cpus, release } from "node:os";
import { gitVersion } from "../../../src/base/version.ts";
import type { NodeSystemInfo } from "../../../src/apis/generated/core/v1.ts";
import type { Machine } from "./allocatable.ts";

export const memoryTotal = (meminfo = readFileSync("/proc/meminfo", "utf8")): number => fieldOf(meminfo, "MemTotal");
const fieldOf = (meminfo: string, name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(meminfo)?.[1] ?? 0) * 1024;

/** What this machine has; its disk is that of `rootDir`. */
export function readMachine(rootDir: string): Machine {
  const { blocks, bsize } = statfsSync(rootDir);
  return { cpus: cpus().length, memoryBytes: memoryTotal(), diskBytes: blocks * bsize, hugePages: hugePages(), mostPids: mostPids() };
}

const mostPids = (): number => Math.min(Number(read("/proc/sys/kernel/pid_max")), Number(read("/proc/sys/kernel/threads-max"))) || Infinity;

export const nodeArchitecture = process.arch === "arm64" ? "arm64" : "amd64";

export function systemInfo(containerRuntimeVersion: string): NodeSystemInfo {
  const swap = fieldOf(readFileSync("/proc/meminfo", "utf8"), "SwapTotal");
  return {
    machineID: read("/etc/machine-id"), systemUUID: read("/sys/class/dmi/id/product_uuid") || read("/etc/machine-id"), bootID: read("/proc/sys/kernel/random/boot_id"),
    kernelVersion: release(), osImage: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(read("/etc/os-release"))?.[1] ?? "Linux",
    containerRuntimeVersion, kubeletVersion: gitVersion, kubeProxyVersion: "", operatingSystem: "linux", architecture: nodeArchitecture,
    ...(swap > 0 ? { swap: { capacity: swap } } : {}),
  };
}

function hugePages(): Record<string, number> {
  const directory = "/sys/kernel/mm/hugepages";
  if (!existsSync(directory)) return {};
  return Object.fromEntries(readdirSync(directory).map((name) => {
    const kib = Number(/hugepages-(\d+)kB/.exec(name)?.[1] ?? 0);
    const count = Number(read(`${directory}/${name}/nr_hugepages`));
    const unit = kib % (1024 * 1024) === 0 ? `${kib / 1024 / 1024}Gi` : kib % 1024 === 0 ? `${kib / 1024}Mi` : `${kib}Ki`;
    return [`hugepages-${unit}`, count * kib * 1024];
  }));
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}
