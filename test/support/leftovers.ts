import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { commandLine } from "./command-line.ts";
import { unmountBelow } from "./containerd.ts";

const cgroups = "/sys/fs/cgroup";

/**
 * Ends and removes what an instance leaves behind when it stops, and more so when a test fails: pods, shims, containerd, cgroups, mounts.
 * Touches only processes that name one of `directories` on their command line, or live in the instance's cgroups.
 */
export function removeLeftovers(instance: string, directories: readonly string[]): void {
  for (let round = 0; round < 100; round++) {
    const pids = [...processesNaming(directories), ...cgroupTrees(instance).flatMap(processesIn)];
    if (!pids.length) break;
    for (const pid of pids) kill(pid);
    Bun.sleepSync(50);
  }
  for (const directory of directories) unmountBelow(directory);
  for (const tree of cgroupTrees(instance)) removeGroup(tree);
}

function processesNaming(directories: readonly string[]): number[] {
  return readdirSync("/proc").map(Number).filter((pid) => pid > 1 && pid !== process.pid).filter((pid) => {
    const args = commandLine(pid);
    return directories.some((directory) => args.some((arg) => arg === directory || arg.startsWith(`${directory}/`)));
  });
}

/** The instance's group in each hierarchy: one of v2, several of v1. */
function cgroupTrees(instance: string): string[] {
  return [cgroups, ...readdirSync(cgroups, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => join(cgroups, name))].map((root) => join(root, instance)).filter((path) => existsSync(path));
}

/** None of a group that has gone meanwhile: what ends removes its own. */
function groupsBelow(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function processesIn(group: string): number[] {
  return [...read(join(group, "cgroup.procs")).split("\n").filter(Boolean).map(Number), ...groupsBelow(group).flatMap(processesIn)];
}

function removeGroup(group: string): void {
  for (const child of groupsBelow(group)) removeGroup(child);
  try {
    rmdirSync(group);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") process.stderr.write(`the cgroup ${group} could not be removed: ${(error as Error).message}\n`);
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended in the meantime.
  }
}
