import { NftablesError } from "./nftables.ts";

/** Runs nft commands in native syntax and returns what they print. */
export interface CommandRunner {
  run(commands: string, options?: { check?: boolean }): Promise<string>;
  close(): void;
}

/** Spawns `nft -f -` for each run: 5 to 20 ms, and the memory of a large load goes with the process. */
export function nftProcess(program = "nft"): CommandRunner {
  return {
    async run(commands, { check = false } = {}) {
      const child = spawn([program, ...(check ? ["-c"] : []), "-f", "-"]);
      child.stdin.write(commands);
      void child.stdin.end();
      const [output, problems] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
      if (await child.exited !== 0) throw rejected(problems);
      return output;
    },
    close() {},
  };
}

function spawn(command: string[]): Bun.Subprocess<"pipe", "pipe", "pipe"> {
  try {
    return Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
  } catch (error) {
    throw new NftablesError(`the program ${command[0]} could not be started: install the nftables package`, String(error));
  }
}

export function rejected(output: string): NftablesError {
  const first = output.trim().split("\n")[0] ?? "";
  return new NftablesError(`nftables refused: ${first || "no reason given"}`, output);
}
