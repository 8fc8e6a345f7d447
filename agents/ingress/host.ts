import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";

const cgroups = "/sys/fs/cgroup";

/** A control group, by which processes are known to be ours whoever started them. */
export interface ProcessGroup {
  /** `command` as it is to be spawned: it enters the group before it begins, so that nothing it starts is outside. Makes the group. */
  entered(command: readonly string[]): string[];
  /** Those in it, and what they have started. */
  pids(): number[];
}

/** The group at `path`, made when the first process comes: of v2, or of v1's hierarchies that count memory, processes and time. */
export function processGroup(path: string): ProcessGroup {
  const roots = existsSync(`${cgroups}/cgroup.controllers`) ? [cgroups] : ["memory", "pids", "cpu"].map((controller) => `${cgroups}/${controller}`).filter((root) => existsSync(root));
  const files = roots.map((root) => `${root}${path}/cgroup.procs`);
  return {
    entered(command) {
      for (const file of files) mkdirSync(dirname(file), { recursive: true });
      return ["sh", "-c", [...files.map((file) => `echo $$ >'${file}'`), `exec "$@"`].join(" && "), "sh", ...command];
    },
    pids: () => (files[0] && existsSync(files[0]) ? readFileSync(files[0], "utf8").split("\n").filter(Boolean).map(Number) : []),
  };
}

export const hasIpv6 = (): boolean => existsSync("/proc/net/if_inet6") && readFileSync("/proc/net/if_inet6", "utf8") !== "";

/** A user without rights for nginx' workers, as its `user` directive wants it: its group has another name on some systems. */
export function workerUser(): string {
  const has = (file: string, name: string): boolean => readFileSync(file, "utf8").split("\n").some((line) => line.startsWith(`${name}:`));
  const user = ["www-data", "nginx", "nobody"].find((name) => has("/etc/passwd", name)) ?? "root";
  return [user, "nogroup"].filter((group) => has("/etc/group", group)).slice(0, 1).map((group) => (group === user ? user : `${user} ${group}`))[0] ?? user;
}
