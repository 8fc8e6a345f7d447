import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

const cgroups = "/sys/fs/cgroup";

/** Puts a process into a control group, which is made where it is missing: of v2, or of v1's hierarchies that count memory and processes. */
export function placeInGroup(path: string, pid: number): void {
  const roots = existsSync(`${cgroups}/cgroup.controllers`) ? [cgroups] : ["memory", "pids", "cpu"].map((controller) => `${cgroups}/${controller}`).filter((root) => existsSync(root));
  for (const root of roots) {
    mkdirSync(root + path, { recursive: true });
    writeFileSync(`${root}${path}/cgroup.procs`, String(pid));
  }
}

export const hasIpv6 = (): boolean => existsSync("/proc/net/if_inet6") && readFileSync("/proc/net/if_inet6", "utf8") !== "";

/** A user without rights for nginx' workers, as its `user` directive wants it: its group has another name on some systems. */
export function workerUser(): string {
  const has = (file: string, name: string): boolean => readFileSync(file, "utf8").split("\n").some((line) => line.startsWith(`${name}:`));
  const user = ["www-data", "nginx", "nobody"].find((name) => has("/etc/passwd", name)) ?? "root";
  return [user, "nogroup"].filter((group) => has("/etc/group", group)).slice(0, 1).map((group) => (group === user ? user : `${user} ${group}`))[0] ?? user;
}
