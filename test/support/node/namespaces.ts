import { readFileSync } from "node:fs";

/**
 * A process that keeps namespaces alive, and ends with this one: when a test is killed, so is all that runs in them.
 * `command` says "up" on its standard output when they are ready.
 */
export interface NamespaceHolder {
  /** The process inside, as the machine numbers it. */
  readonly pid: number;
  /** Kills it; resolves when all that was in its process namespace is gone. */
  kill(): Promise<void>;
}

export async function holdNamespaces(unshareFlags: readonly string[], command: readonly string[]): Promise<NamespaceHolder> {
  const child = Bun.spawn(["setpriv", "--pdeathsig", "KILL", "unshare", ...unshareFlags, "--fork", "--kill-child=SIGKILL", "--propagation", "private", "--", ...command], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  if (!value) throw new Error(`${command.join(" ")} ended: ${await new Response(child.stderr).text()}`);
  reader.releaseLock();
  const pid = childrenOf(child.pid)[0]!;
  return {
    pid,
    async kill() {
      if (child.exitCode === null) process.kill(pid, "SIGKILL");
      await child.exited;
    },
  };
}

export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Runs a short program to its end. Throws with what it wrote when it fails. */
export function runNow(command: readonly string[], input = ""): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { stdin: Buffer.from(input) });
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr.toString().trim()}\n${input}`);
  return stdout.toString();
}
