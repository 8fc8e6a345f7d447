import type { Pod } from "../apis/generated/core/v1.ts";
import { defineCommand } from "./command.ts";
import { KubectlError } from "./errors.ts";
import { bool, duration, text } from "./flags.ts";
import { allContainers, containerOf, podOf } from "./pods.ts";
import type { Session } from "./session.ts";
import { runRemoteCommand } from "./streams/remote-command.ts";

const flags = {
  container: text("Container name. If omitted, use the kubectl.kubernetes.io/default-container annotation or the first container in the pod.", { short: "c" }),
  stdin: bool("Pass stdin to the container", { short: "i" }),
  tty: bool("Stdin is a TTY", { short: "t" }),
  quiet: bool("Only print output from the remote session", { short: "q" }),
  podRunningTimeout: duration("The length of time to wait until at least one pod is running", 60_000),
} as const;

/** A terminal there needs one here. */
function wantsTerminal({ stdin, tty }: { stdin: boolean; tty: boolean }, session: Session): boolean {
  if (tty && stdin && !session.stdin.isTTY) session.err("Unable to use a TTY - input is not a terminal or the right kind of file\n");
  return tty && stdin && session.stdin.isTTY;
}

const pathOfPod = ({ metadata }: Pod, subresource: string): string => `/api/v1/namespaces/${metadata!.namespace}/pods/${metadata!.name}/${subresource}`;

export const execCommand = defineCommand({
  name: "exec", usage: "exec (POD | TYPE/NAME) [-c CONTAINER] [flags] -- COMMAND [args...]", summary: "Execute a command in a container", flags,
  async run({ args, dash, flags: given, connect, usageError }) {
    if (dash === undefined && args.length > 1) throw usageError("exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead");
    const [name] = args.slice(0, dash), command = dash === undefined ? [] : args.slice(dash);
    if (!name) throw new KubectlError("pod, type/name or --filename must be specified");
    if (command.length === 0) throw new KubectlError("you must specify at least one command for the container");
    const session = await connect();
    const pod = await podOf(session, [name]);
    if (pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed") throw new KubectlError(`cannot exec into a container in a completed pod; current phase is ${pod.status.phase}`);
    const container = containerOf(pod, given.container, (message) => given.quiet || session.err(message));
    await runRemoteCommand(session, { path: pathOfPod(pod, "exec"), container, command, stdin: given.stdin, tty: wantsTerminal(given, session) });
  },
});

export const attachCommand = defineCommand({
  name: "attach", usage: "attach (POD | TYPE/NAME) -c CONTAINER [flags]", summary: "Attach to a running container", flags,
  async run({ args, flags: given, connect, usageError }) {
    if (args.length === 0) throw usageError("at least 1 argument is required for attach");
    const session = await connect();
    const pod = await podOf(session, args);
    await attach(session, pod, given);
  },
});

/** Joins the process of a container. */
export async function attach(session: Session, pod: Pod, given: { container: string; stdin: boolean; tty: boolean; quiet: boolean }): Promise<void> {
  if (pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed") throw new KubectlError(`cannot attach a container in a completed pod; current phase is ${pod.status.phase}`);
  const container = containerOf(pod, given.container, (message) => given.quiet || session.err(message));
  const { tty: offersTerminal = false } = allContainers(pod).find(({ name }) => name === container)!;
  if (given.tty && !offersTerminal) session.err(`error: Unable to use a TTY - container ${container} did not allocate one\n`);
  const tty = offersTerminal && wantsTerminal(given, session);
  if (!given.quiet) {
    session.err("All commands and output from this session will be recorded in container logs, including credentials and sensitive information passed through the command prompt.\n");
    session.err("If you don't see a command prompt, try pressing enter.\n");
  }
  await runRemoteCommand(session, { path: pathOfPod(pod, "attach"), container, stdin: given.stdin, tty: tty || offersTerminal });
}
