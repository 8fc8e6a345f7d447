import { Command, CommanderError } from "commander";
import { UsageError } from "../server/settings.ts";
import { addAgentCommand } from "./agent.ts";
import { addHollowCommand } from "./hollow.ts";
import { addKubectlCommand, kubectlArguments, runKubectl } from "./kubectl.ts";
import { addServerCommand } from "./server.ts";
import { addStatusCommand } from "./status.ts";
import { addTokenCommand } from "./token.ts";
import { addVersionCommand } from "./version.ts";

/** Runs one command line. Resolves with the exit code; mistakes are one sentence on stderr. */
export async function main(argv: readonly string[], calledAs = process.argv0): Promise<number> {
  const kubectl = kubectlArguments(argv, calledAs);
  if (kubectl) return runKubectl(kubectl, calledAs);
  const program = new Command("skiff")
    .description("Kubernetes for the edge in one executable.\n\nRun a cluster with `skiff server`, then use kubectl with the kubeconfig it writes; join other machines with `skiff agent`.")
    .showHelpAfterError("(run with --help to see what there is)")
    .exitOverride();
  addServerCommand(program);
  addAgentCommand(program);
  addKubectlCommand(program);
  addStatusCommand(program);
  addTokenCommand(program);
  addVersionCommand(program);
  addHollowCommand(program);
  try {
    await program.parseAsync([...argv], { from: "user" });
    return 0;
  } catch (error) {
    // Help and version are not failures, and commander has printed its own messages.
    if (error instanceof CommanderError) return error.exitCode;
    process.stderr.write(`skiff: ${describe(error)}\n`);
    return 1;
  }
}

function describe(error: unknown): string {
  if (error instanceof UsageError) return error.message;
  if (!(error instanceof Error)) return String(error);
  if ((error as NodeJS.ErrnoException).code === "ENOSPC") return `the disk is full (${(error as NodeJS.ErrnoException).path ?? "while starting"}): make room where --data-dir and --write-kubeconfig are, and start again`;
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
