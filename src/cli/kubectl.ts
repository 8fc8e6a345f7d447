import { Command } from "commander";

/** `skiff kubectl …` reads its own command line, as kubectl does; nothing of it is loaded before it is asked for. */
export function addKubectlCommand(program: Command): void {
  program.addCommand(new Command("kubectl").description("Talk to this or any other cluster, with kubectl's words").helpOption(false).allowUnknownOption().allowExcessArguments());
}

/** The words behind `kubectl` of a command line that calls it, by that subcommand or through a link of that name; else undefined. */
export function kubectlArguments(argv: readonly string[], calledAs: string): readonly string[] | undefined {
  if (/(?:^|\/)kubectl$/.test(calledAs)) return argv;
  return argv[0] === "kubectl" ? argv.slice(1) : undefined;
}

export async function runKubectl(argv: readonly string[], calledAs: string): Promise<number> {
  const { kubectl } = await import("../kubectl/kubectl.ts");
  return kubectl(argv, /(?:^|\/)kubectl$/.test(calledAs) ? "kubectl" : "skiff kubectl");
}
