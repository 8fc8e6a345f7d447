import { Command, CommanderError } from "commander";
import { namedInK3s } from "../server/k3s-names.ts";
import { UsageError } from "../server/settings.ts";
import { mustBeReadable } from "./data-dir.ts";
import { addKubectlCommand, kubectlArguments, runKubectl } from "./kubectl.ts";
import { separateFlags } from "./setting-options.ts";

/** Runs one command line. Resolves with the exit code; mistakes are one sentence on stderr. */
export async function main(argv: readonly string[], calledAs = process.argv0): Promise<number> {
  const kubectl = kubectlArguments(argv, calledAs);
  if (kubectl) return runKubectl(kubectl, calledAs);
  const program = new Command("skiff")
    .description("Kubernetes for the edge in one executable.\n\nRun a cluster with `skiff server`, then use kubectl with the kubeconfig it writes; join other machines with `skiff agent`.")
    .showHelpAfterError("(run with --help to see what there is)")
    .configureOutput({ outputError: (text, write) => write(withK3sName(text)) })
    .exitOverride();
  program.hook("preAction", (_, command) => {
    const { dataDir, kubeconfig } = command.optsWithGlobals<{ dataDir?: string; kubeconfig?: string }>();
    if (dataDir !== undefined && kubeconfig === undefined) mustBeReadable(dataDir);
  });
  for (const add of await commandsFor(argv[0])) add(program);
  try {
    await program.parseAsync(separateFlags(program, argv), { from: "user" });
    return 0;
  } catch (error) {
    // Help and version are not failures, and commander has printed its own messages.
    if (error instanceof CommanderError) return error.exitCode;
    process.stderr.write(`skiff: ${describe(error)}\n`);
    return 1;
  }
}

/** Each in a module of its own, with all that it needs: an agent has no use for what makes a server large. */
const commands: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  server: async () => (await import("./server.ts")).addServerCommand,
  agent: async () => (await import("./agent.ts")).addAgentCommand,
  kubectl: async () => addKubectlCommand,
  backup: async () => (await import("./backup.ts")).addBackupCommand,
  restore: async () => (await import("./restore.ts")).addRestoreCommand,
  status: async () => (await import("./status.ts")).addStatusCommand,
  datastore: async () => (await import("./datastore.ts")).addDatastoreCommand,
  "secrets-encrypt": async () => (await import("./secrets-encrypt.ts")).addSecretsEncryptCommand,
  token: async () => (await import("./token.ts")).addTokenCommand,
  version: async () => (await import("./version.ts")).addVersionCommand,
  hollow: async () => (await import("./hollow.ts")).addHollowCommand,
};

/** The command that is called, or all of them where the help or a mistake wants them. */
function commandsFor(name = ""): Promise<((program: Command) => void)[]> {
  return Promise.all((Object.hasOwn(commands, name) ? [commands[name]!] : Object.values(commands)).map((load) => load()));
}

/** commander's sentence on an unknown option or command, with what that is called here. */
function withK3sName(text: string): string {
  const hint = namedInK3s(/^error: unknown (?:option|command) '(?:--)?([a-z0-9-]+)/.exec(text)?.[1] ?? "");
  return hint ? `${text.trimEnd()}: ${hint}\n` : text;
}

function describe(error: unknown): string {
  if (error instanceof UsageError) return error.message;
  if (!(error instanceof Error)) return String(error);
  // A whole sentence too; what lies behind it is for logs.
  if (error.name === "StorageError") return error.message;
  const { code = "", path } = error as NodeJS.ErrnoException;
  if (["EACCES", "EPERM"].includes(code) && path !== undefined && process.getuid!() !== 0) return `${path} is closed to this user (${code}): run this as root, such as with sudo`;
  if (code === "EROFS" && path !== undefined) return `${path} can't be written: its file system is read-only, which is what becomes of a card or disk that fails ("dmesg" tells)`;
  if (code === "ENOSPC") return `the disk is full${path === undefined ? "" : ` (${path})`}: make room where --data-dir and --write-kubeconfig are, and try again`;
  return error.cause instanceof Error && !error.message.includes(error.cause.message) ? `${error.message}: ${error.cause.message}` : error.message;
}
