import type { Command } from "commander";
import { gitCommit, kubernetesVersion, skiffVersion } from "../base/version.ts";

export function addVersionCommand(program: Command): void {
  program.command("version").description("Print the version of Skiff and of the Kubernetes API it serves").action(() => {
    process.stdout.write(`skiff ${skiffVersion}${gitCommit ? ` (${gitCommit.slice(0, 12)})` : ""}\nKubernetes API v${kubernetesVersion}\nBun ${Bun.version}\n`);
  });
}
