import type { Pod } from "../apis/generated/core/v1.ts";
import { defineCommand } from "./command.ts";
import { nodesOf, setUnschedulable } from "./cordon.ts";
import { isNotFound, isReason, KubectlError, SilentExit } from "./errors.ts";
import { bool, duration, number, text, type FlagValues } from "./flags.ts";
import type { Session } from "./session.ts";
import { waitForObject } from "./wait.ts";

const flags = {
  selector: text("Selector (label query) to filter on", { short: "l" }),
  podSelector: text("Label selector to filter pods on the node"),
  force: bool("Continue even if there are pods that do not declare a controller."),
  ignoreDaemonsets: bool("Ignore DaemonSet-managed pods."),
  deleteEmptydirData: bool("Continue even if there are pods using emptyDir (local data that will be deleted when the node is drained)."),
  disableEviction: bool("Force drain to use delete, even if eviction is supported."),
  gracePeriod: number("Period of time in seconds given to each pod to terminate gracefully. If negative, the default value specified in the pod will be used.", -1),
  timeout: duration("The length of time to wait before giving up, zero means infinite", 0),
  skipWaitForDeleteTimeout: number("If pod DeletionTimestamp older than N seconds, skip waiting for the pod.", 0),
  dryRun: text('Must be "none", "server", or "client".', { default: "none", bare: "client" }),
} as const;
type DrainFlags = FlagValues<typeof flags>;

const retryDelay = 5000;

export const drainCommand = defineCommand({
  name: "drain", usage: "drain NODE [flags]", summary: "Drain node in preparation for maintenance", flags,
  async run({ args, flags: given, connect, usageError }) {
    if (args.length === 0 && !given.selector) throw usageError("USAGE: drain NODE [flags]");
    const session = await connect();
    const nodes = await nodesOf(session, args, given.selector);
    for (const node of nodes) await setUnschedulable(session, node, true, given.dryRun);
    const pending = new Set(nodes.map(({ metadata }) => metadata!.name!)), errors: string[] = [];
    for (const { metadata } of nodes) {
      const name = metadata!.name!;
      try {
        await drainNode(session, name, given);
        pending.delete(name);
        session.out(`node/${name} drained${given.dryRun === "none" ? "" : given.dryRun === "client" ? " (dry run)" : " (server dry run)"}\n`);
      } catch (error) {
        if (!(error instanceof KubectlError)) throw error;
        const problems = error.message.split("\n");
        session.err(`error: unable to drain node ${JSON.stringify(name)} due to error: ${problems.length > 1 ? `[${problems.join(", ")}]` : problems[0]}, continuing command...\n`);
        errors.push(...problems);
      }
    }
    if (errors.length === 0) return;
    session.err(`There are pending nodes to be drained:\n${[...pending].map((name) => ` ${name}\n`).join("")}`);
    session.err(errors.map((problem) => `${problem}\n`).join(""));
    throw new SilentExit();
  },
});

async function drainNode(session: Session, node: string, given: DrainFlags): Promise<void> {
  const { items } = await session.api.json<{ items: Pod[] }>("/api/v1/pods", { query: { fieldSelector: `spec.nodeName=${node}`, labelSelector: given.podSelector } });
  const verdicts = await Promise.all(items.map(async (pod) => ({ pod, ...await judge(session, pod, given) })));
  const problems = grouped(verdicts.filter(({ problem }) => problem), ({ problem }) => problem!);
  if (problems.length) throw new KubectlError(problems.map(([problem, names]) => `cannot delete ${problem}: ${names}`).join("\n"));
  const warnings = grouped(verdicts.filter(({ warning }) => warning), ({ warning }) => warning!);
  if (warnings.length) session.err(`Warning: ${warnings.map(([warning, names]) => `${warning}: ${names}`).join("; ")}\n`);
  const leaving = verdicts.filter(({ leaves }) => leaves).map(({ pod }) => pod);
  const until = performance.now() + (given.timeout || 168 * 3_600_000);
  const outcomes = await Promise.allSettled(leaving.map((pod) => evict(session, pod, given, until)));
  const failed = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [(outcome.reason as Error).message] : []));
  if (failed.length) throw new KubectlError(failed.join("\n"));
}

interface Verdict {
  leaves: boolean;
  problem?: string;
  warning?: string;
}

/** What becomes of a pod of the node. Source: k8s.io/kubectl/pkg/drain/filters.go. */
async function judge(session: Session, { metadata, spec, status }: Pod, given: DrainFlags): Promise<Verdict> {
  if (metadata!.annotations?.["kubernetes.io/config.mirror"] !== undefined) return { leaves: false };
  const finished = status?.phase === "Succeeded" || status?.phase === "Failed";
  const controller = metadata!.ownerReferences?.find(({ controller: is }) => is);
  if (given.skipWaitForDeleteTimeout > 0 && metadata!.deletionTimestamp && Date.now() - Date.parse(metadata!.deletionTimestamp) > given.skipWaitForDeleteTimeout * 1000) return { leaves: false };
  if (controller?.kind === "DaemonSet" && !finished) {
    const exists = await session.api.json(`/apis/apps/v1/namespaces/${metadata!.namespace}/daemonsets/${controller.name}`).then(() => true, (error: unknown) => {
      if (isNotFound(error)) return false;
      throw error;
    });
    if (exists) return given.ignoreDaemonsets ? { leaves: false, warning: "ignoring DaemonSet-managed Pods" } : { leaves: false, problem: "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)" };
  }
  if (!finished && spec?.volumes?.some(({ emptyDir }) => emptyDir) && !given.deleteEmptydirData) return { leaves: false, problem: "Pods with local storage (use --delete-emptydir-data to override)" };
  if (!finished && !controller) return given.force ? { leaves: true, warning: "deleting Pods that declare no controller" } : { leaves: false, problem: "Pods that declare no controller (use --force to override)" };
  return { leaves: true };
}

function grouped<T extends { pod: Pod }>(verdicts: readonly T[], key: (verdict: T) => string): [string, string][] {
  return [...Map.groupBy(verdicts, key)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, members]) => [name, members.map(({ pod }) => `${pod.metadata!.namespace}/${pod.metadata!.name}`).join(", ")]);
}

/** Evicts a pod and waits until it is gone; a disruption budget that doesn't allow it now is asked again. */
async function evict(session: Session, { metadata }: Pod, given: DrainFlags, until: number): Promise<void> {
  const { name, namespace, uid } = metadata as { name: string; namespace: string; uid: string };
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
  const options = { ...(given.gracePeriod >= 0 ? { gracePeriodSeconds: given.gracePeriod } : {}), ...(given.dryRun === "server" ? { dryRun: ["All"] } : {}) };
  if (given.dryRun === "client") return session.out(`evicting pod ${namespace}/${name} (dry run)\n`);
  for (;;) {
    session.out(`${given.disableEviction ? "deleting" : "evicting"} pod ${namespace}/${name}${given.dryRun === "server" ? " (server dry run)" : ""}\n`);
    try {
      if (given.disableEviction) await session.api.json(path, { method: "DELETE", body: { apiVersion: "v1", kind: "DeleteOptions", ...options } });
      else await session.api.json(`${path}/eviction`, { method: "POST", body: { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace }, deleteOptions: options } });
      break;
    } catch (error) {
      if (isNotFound(error)) return session.out(`pod/${name} evicted\n`);
      if (!isReason(error, "TooManyRequests")) throw new KubectlError(`error when evicting pods/${JSON.stringify(name)} -n ${JSON.stringify(namespace)}: ${(error as Error).message}`);
      if (performance.now() + retryDelay > until) throw new KubectlError(`error when evicting pods/${JSON.stringify(name)} -n ${JSON.stringify(namespace)}: global timeout reached: ${given.timeout / 1000}s`);
      session.err(`error when evicting pods/${JSON.stringify(name)} -n ${JSON.stringify(namespace)} (will retry after 5s): ${error.message}\n`);
      await Bun.sleep(retryDelay);
    }
  }
  if (given.dryRun !== "none") return;
  const pods = await session.discovery.find("pods");
  await waitForObject(session, { resource: pods, namespace, name }, (pod) => pod === undefined || pod.metadata.uid !== uid, until);
  session.out(`pod/${name} ${given.disableEviction ? "deleted" : "evicted"}\n`);
}
