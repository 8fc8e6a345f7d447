import { readdirSync, readFileSync } from "node:fs";

/** A process, of those there are. */
export interface Process {
  pid: number;
  parent: number;
  /** Since boot, in the kernel's ticks. */
  startedAt: number;
  command: readonly string[];
}

/**
 * Shims that look after nothing any more: older than the containerd that runs, which was told of all that had begun before it, yet of no sandbox
 * that it knows; and without a process of their own. containerd 1.6 leaves one behind when it ends, or its client does, while the
 * shim starts a container: the shim waits for that container for ever.
 */
export function lostShims(processes: readonly Process[], { containerd, socket, sandboxes }: { containerd: number; socket: string; sandboxes: ReadonlySet<string> }): number[] {
  const startedAt = processes.find(({ pid }) => pid === containerd)?.startedAt;
  if (startedAt === undefined) return [];
  const parents = new Set(processes.map(({ parent }) => parent));
  return processes.filter((each) => {
    const id = shimOf(each.command, socket);
    return id !== undefined && each.startedAt < startedAt && !sandboxes.has(id) && !parents.has(each.pid);
  }).map(({ pid }) => pid);
}

/** Whose shim it is, when it is one of this containerd's. */
function shimOf(command: readonly string[], socket: string): string | undefined {
  if (!command[0]?.split("/").at(-1)?.startsWith("containerd-shim")) return undefined;
  const option = (name: string): string | undefined => command[command.indexOf(name) + 1 || command.length];
  return option("-address") === socket ? option("-id") : undefined;
}

/** Those that live, with their command lines. */
export function readProcesses(proc = "/proc"): Process[] {
  return readdirSync(proc).filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      // The name in brackets may hold anything.
      const [state, parent, ...rest] = readFileSync(`${proc}/${name}/stat`, "utf8").split(") ").at(-1)!.split(" ");
      if (state === "Z") return [];
      return [{ pid: Number(name), parent: Number(parent), startedAt: Number(rest[17]), command: readFileSync(`${proc}/${name}/cmdline`, "utf8").split("\0").slice(0, -1) }];
    } catch {
      // It has ended in the meantime.
      return [];
    }
  });
}
