import type { Pod } from "../apis/generated/core/v1.ts";
import { defineCommand, type Call } from "./command.ts";
import { isNotFound, KubectlError, throwAll } from "./errors.ts";
import { bool, duration, number, text, type FlagValues } from "./flags.ts";
import { linesOf } from "./lines.ts";
import { allContainers, containerOf, objectOf, podsOf } from "./pods.ts";
import type { Session } from "./session.ts";

const flags = {
  selector: text("Selector (label query) to filter on", { short: "l" }),
  allContainers: bool("Get all containers' logs in the pod(s)."),
  allPods: bool("Get logs from all pod(s). Sets prefix to true."),
  container: text("Print the logs of this container", { short: "c" }),
  follow: bool("Specify if the logs should be streamed.", { short: "f" }),
  ignoreErrors: bool("If watching / following pod logs, allow for any errors that occur to be non-fatal"),
  limitBytes: number("Maximum bytes of logs to return. Defaults to no limit.", 0),
  maxLogRequests: number("Specify maximum number of concurrent logs to follow when using by a selector.", 5),
  prefix: bool("Prefix each log line with the log source (pod name and container name)"),
  previous: bool("If true, print the logs for the previous instance of the container in a pod if it exists.", { short: "p" }),
  since: duration("Only return logs newer than a relative duration like 5s, 2m, or 3h.", 0),
  sinceTime: text("Only return logs after a specific date (RFC3339)."),
  tail: number("Lines of recent log file to display. Defaults to -1 with no selector, showing all log lines otherwise 10.", -1),
  timestamps: bool("Include timestamps on each line in the log output"),
} as const;
type LogFlags = FlagValues<typeof flags>;

interface Source { pod: Pod; container: string }

const usage = "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command";

export const logsCommand = defineCommand({
  name: "logs", usage: "logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER] [flags]", summary: "Print the logs for a container in a pod", flags,
  async run(call) {
    const { flags: given, connect, given: isGiven } = call;
    check(call);
    if (given.selector && !isGiven("tail")) given.tail = 10;
    const session = await connect();
    const sources = await sourcesOf(session, call);
    if (given.follow && sources.length > given.maxLogRequests) throw new KubectlError(`you are attempting to follow ${sources.length} log streams, but maximum allowed concurrency is ${given.maxLogRequests}, use --max-log-requests to increase the limit`);
    const prefix = given.prefix || given.allPods;
    if (!given.follow || sources.length < 2) {
      for (const source of sources) await print(session, source, given, prefix);
      return;
    }
    const outcomes = await Promise.allSettled(sources.map((source) => print(session, source, given, prefix)));
    throwAll(outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : [])));
  },
});

function check({ args, flags: given, usageError }: Call<typeof flags>): void {
  if (args.length === 0 && !given.selector) throw usageError(usage);
  if (args.length && given.selector) throw usageError("only a selector (-l) or a POD name is allowed");
  if (args.length > 2) throw usageError(usage);
  if (given.allContainers && given.container) throw new KubectlError(`--all-containers=true should not be specified with container name ${given.container}`);
  if (given.since && given.sinceTime) throw new KubectlError("at most one of `sinceTime` or `sinceSeconds` may be specified");
  if (given.since < 0) throw new KubectlError("--since must be greater than 0");
  if (given.tail < -1) throw new KubectlError("--tail must be greater than or equal to -1");
  if (given.limitBytes < 0) throw new KubectlError("--limit-bytes must be greater than 0");
}

async function sourcesOf(session: Session, { args, flags: given }: Call<typeof flags>): Promise<Source[]> {
  if (given.selector) {
    const { items } = await session.api.json<{ items: Pod[] }>(`/api/v1/namespaces/${session.namespace}/pods`, { query: { labelSelector: given.selector } });
    if (items.length === 0) session.err(`No resources found in ${session.namespace} namespace.\n`);
    return items.flatMap((pod) => containersOf(pod, given, session));
  }
  // `logs POD CONTAINER` says it the old way.
  const [name = "", second] = args;
  const container = second !== undefined && !name.includes("/") ? second : undefined;
  if (container !== undefined && given.container) throw new KubectlError("only one of -c or an inline [CONTAINER] arg is allowed");
  const object = await objectOf(session, [name]).catch((error: unknown) => {
    throw isNotFound(error) ? new KubectlError(`error from server (NotFound): ${error.message} in namespace ${JSON.stringify(session.namespace)}`) : error;
  });
  const pods = await podsOf(session, object);
  if (pods.length === 0) throw new KubectlError("timed out waiting for the condition");
  if (pods.length > 1 && !given.allPods) session.err(`Found ${pods.length} pods, using pod/${pods[0]!.metadata!.name}\n`);
  return (given.allPods ? pods : pods.slice(0, 1)).flatMap((pod) => containersOf(pod, { ...given, container: container ?? given.container }, session));
}

const containersOf = (pod: Pod, { allContainers: all, container, allPods }: LogFlags, session: Session): Source[] =>
  (all ? allContainers(pod).map(({ name }) => name) : [containerOf(pod, container, (message) => allPods || session.err(message))]).map((name) => ({ pod, container: name }));

async function print(session: Session, { pod, container }: Source, given: LogFlags, prefix: boolean): Promise<void> {
  const { name, namespace } = pod.metadata!;
  try {
    const stream = await session.api.stream(`/api/v1/namespaces/${namespace}/pods/${name}/log`, {
      query: {
        container, follow: given.follow, previous: given.previous, timestamps: given.timestamps, sinceSeconds: given.since ? Math.ceil(given.since / 1000) : undefined, sinceTime: given.sinceTime,
        tailLines: given.tail >= 0 ? given.tail : undefined, limitBytes: given.limitBytes || undefined,
      },
    });
    if (!prefix) for await (const chunk of stream) session.out(chunk);
    else for await (const line of linesOf(stream)) session.out(`[pod/${name}/${container}] ${line}\n`);
  } catch (error) {
    if (!given.ignoreErrors) throw error;
    session.err(`error: ${(error as Error).message}\n`);
  }
}
