import { KubectlError } from "./errors.ts";
import { describeFlags, list, parseFlags, text, bool, type Flags, type FlagValues, type ParsedLine } from "./flags.ts";
import type { Session, Terminal } from "./session.ts";

/** One command line as its command sees it. */
export interface Call<F extends Flags = Flags> {
  args: string[];
  /** How many of `args` stood in front of `--`. */
  dash: number | undefined;
  flags: FlagValues<F>;
  /** Whether a flag was given at all. */
  given(flag: keyof F & string): boolean;
  terminal: Terminal;
  /** Connects when first asked, so that mistakes in a command line need no server. */
  connect(): Promise<Session>;
  /** A mistake in how the command was called. */
  usageError(message: string): KubectlError;
}

/** A word of kubectl: it does something, or has words below it. */
export interface Command {
  name: string;
  aliases?: readonly string[];
  usage: string;
  summary: string;
  flags: Flags;
  subcommands?: readonly Command[];
  run?(call: Call): Promise<void>;
}

export function defineCommand<const F extends Flags>(command: Omit<Command, "run" | "flags" | "subcommands"> & { flags?: F; run(call: Call<F>): Promise<void> }): Command {
  return { ...command, flags: command.flags ?? {}, run: (call) => command.run(call as unknown as Call<F>) };
}

export const defineGroup = (command: Omit<Command, "run" | "flags" | "usage">): Command => ({ ...command, flags: {}, usage: `${command.name} SUBCOMMAND` });

/** What every command takes: which server, as whom, where. */
export const globalFlags = {
  kubeconfig: text("Path to the kubeconfig file to use."),
  context: text("The name of the kubeconfig context to use"),
  cluster: text("The name of the kubeconfig cluster to use"),
  user: text("The name of the kubeconfig user to use"),
  namespace: text("If present, the namespace scope for this CLI request", { short: "n" }),
  server: text("The address and port of the Kubernetes API server", { short: "s" }),
  token: text("Bearer token for authentication to the API server"),
  certificateAuthority: text("Path to a cert file for the certificate authority"),
  clientCertificate: text("Path to a client certificate file for TLS"),
  clientKey: text("Path to a client key file for TLS"),
  insecureSkipTlsVerify: bool("If true, the server's certificate will not be checked for validity"),
  tlsServerName: text("Server name to use for server certificate validation"),
  requestTimeout: text("The length of time to wait before giving up on a single server request", { default: "0" }),
  as: text("Username to impersonate for the operation"),
  asGroup: list("Group to impersonate for the operation"),
  asUid: text("UID to impersonate for the operation"),
} as const satisfies Flags;
export type GlobalFlags = FlagValues<typeof globalFlags>;

const helpFlag = { help: bool("Show this help", { short: "h" }) } as const;

interface Found {
  command: Command;
  /** `kubectl rollout status`. */
  path: string;
  line: ParsedLine;
}

/** The command that a line names, with its flags read; those of the server may stand in front of the command's name. */
export function findCommand(root: Command, argv: readonly string[], programName: string): Found | { help: string } {
  let command = root, path = programName, rest = [...argv];
  const before: ParsedLine["values"][] = [], given = new Set<string>();
  while (command.subcommands) {
    const line = parseFlags({ ...globalFlags, ...helpFlag, ...command.flags }, rest, { stopAtArgument: true });
    const [word, ...more] = line.args;
    const next: Command | undefined = word === "help" ? undefined : command.subcommands.find(({ name, aliases = [] }) => name === word || aliases.includes(word!));
    // `create -f …` does something itself, `create deployment …` is a command of its own.
    if (!next && command.run && !line.values["help"]) break;
    if (line.values["help"] || word === undefined || (word === "help" && more.length === 0)) return { help: helpOf(command, path) };
    if (word === "help") {
      rest = [...more, "--help"];
      continue;
    }
    if (!next) throw new KubectlError(`unknown command ${JSON.stringify(word)} for ${JSON.stringify(path)}`);
    before.push(Object.fromEntries([...line.given].map((name) => [name, line.values[name]!])));
    for (const name of line.given) given.add(name);
    command = next;
    path = `${path} ${next.name}`;
    rest = more;
  }
  try {
    const line = parseFlags({ ...globalFlags, ...helpFlag, ...command.flags }, rest);
    if (line.values["help"]) return { help: helpOf(command, path) };
    for (const values of before) for (const [name, value] of Object.entries(values)) if (!line.given.has(name)) line.values[name] = value;
    for (const name of given) line.given.add(name);
    return { command, path, line };
  } catch (error) {
    throw error instanceof KubectlError ? new KubectlError(`${error.message}\nSee '${path} --help' for usage.`) : error;
  }
}

function helpOf({ summary, usage, flags, subcommands }: Command, path: string): string {
  if (subcommands) {
    const width = Math.max(...subcommands.map(({ name }) => name.length));
    return `${summary}\n\nAvailable Commands:\n${subcommands.map((each) => `  ${each.name.padEnd(width)}   ${each.summary}\n`).join("")}\nUsage:\n  ${path} [command] [flags]\n\nUse "${path} <command> --help" for more information about a given command.\n`;
  }
  const options = describeFlags(flags);
  return `${summary}\n\n${options ? `Options:\n${options}\n` : ""}Usage:\n  ${path} ${usage.split(" ").slice(1).join(" ")}\n\nFlags for the server: ${Object.entries(globalFlags).map(([name, flag]) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}${"short" in flag ? ` (-${flag.short})` : ""}`).join(", ")}\n`;
}
