import type { ReadStream } from "node:tty";
import { findCommand, globalFlags, type Call, type GlobalFlags } from "./command.ts";
import { commands } from "./commands.ts";
import { errorText, KubectlError } from "./errors.ts";
import type { Flags, ParsedLine } from "./flags.ts";
import { openSession, type Session, type Terminal } from "./session.ts";

/** Runs one line of kubectl. Resolves with the exit code; failures are told on stderr. `programName` is how help and mistakes call it. */
export async function kubectl(argv: readonly string[], programName = "kubectl"): Promise<number> {
  const terminal: Terminal = {
    stdin: process.stdin as ReadStream,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
  };
  let exitCode = 0;
  try {
    const found = findCommand(commands, argv, programName);
    if ("help" in found) {
      terminal.out(found.help);
    } else {
      const { command, path, line } = found;
      let session: Promise<Session> | undefined;
      const call: Call = {
        args: line.args, dash: line.dash, flags: line.values as Call["flags"], given: (flag) => line.given.has(flag), terminal,
        connect: () => session ??= openSession(globalsOf(line.values, command.flags), terminal),
        usageError: (message) => new KubectlError(`${message}\nSee '${path} -h' for help and examples`),
      };
      await command.run!(call);
    }
  } catch (error) {
    terminal.err(errorText(error));
    exitCode = error instanceof KubectlError ? error.exitCode : 1;
  }
  await Promise.all([process.stdout, process.stderr].map(flushed));
  return exitCode;
}

/** The flags of the server; one that a command has another meaning for, as `create rolebinding --user`, is not among them. */
const globalsOf = (values: ParsedLine["values"], own: Flags): Partial<GlobalFlags> => Object.fromEntries(Object.keys(globalFlags).filter((name) => !(name in own)).map((name) => [name, values[name]]));

/** A pipe may still hold what was written; exiting would lose it. */
const flushed = (stream: NodeJS.WriteStream): Promise<void> => new Promise((resolve) => stream.write("", () => resolve()));
