import type { Frozen } from "../../apimachinery/meta.ts";
import { poddisruptionbudgets } from "../../apis/builtins.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { defaultPreemptionArgs, type DefaultPreemptionArgs } from "../configuration/plugin-args.ts";
import { preemptWithExtenders } from "../extender/extenders.ts";
import { fitError } from "../failure-message.ts";
import { definePlugin, failed, isUnresolvable, unresolvable, unschedulable, type AnyPlugin, type FailedCycle, type Handle, type PostFilterResult } from "../framework.ts";
import type { PodInfo } from "../pod-info.ts";
import { findCandidates, pickCandidate, type Candidate } from "../preemption/candidates.ts";
import { parseBudget } from "../preemption/disruption-budgets.ts";
import { PreemptionExecutor } from "../preemption/executor.ts";
import { run } from "../steps.ts";

const name = "DefaultPreemption";

const neverPreempts = "not eligible due to preemptionPolicy=Never.";
const victimsAreGoing = "not eligible due to a terminating pod on the nominated node.";
const notHelpful = unresolvable("Preemption is not helpful for scheduling");
const stillPreempting = unresolvable("waiting for the preemption for this pod to be finished");

/** Makes room by removing pods of less priority. Source: kubernetes plugins/defaultpreemption. */
export function defaultPreemption(args: DefaultPreemptionArgs = defaultPreemptionArgs(), handle: Handle, random: () => number = Math.random): AnyPlugin {
  const budgets = handle.lister(poddisruptionbudgets);
  const executor = new PreemptionExecutor(handle, name);

  function preempt(pod: PodInfo, cycle: FailedCycle): PostFilterResult | Promise<PostFilterResult> {
    const ineligible = whyIneligible(pod, cycle, handle.nominator.nodeOf(pod.uid) ?? pod.pod.status?.nominatedNodeName);
    if (ineligible) return { status: unschedulable(`preemption: ${ineligible}`) };
    const { nodes } = cycle.snapshot;
    const promising = nodes.filter((node) => cycle.statusOf(node.name).code === "Unschedulable");
    const enough = Math.min(promising.length, Math.max(args.minCandidateNodesAbsolute, Math.floor((promising.length * args.minCandidateNodesPercentage) / 100)));
    const offset = Math.floor(random() * promising.length);
    const { candidates, statuses } = findCandidates(pod, cycle.filters, {
      nodes: [...promising.slice(offset), ...promising.slice(0, offset)], enough, budgets: promising.length > 0 ? budgets.list().map(parseBudget) : [],
    });
    if (candidates.length === 0) return { nominate: "", status: unschedulable(`preemption: ${fitError({ nodes: nodes.length, statuses, absent: notHelpful })}`) };
    const left = run(preemptWithExtenders(cycle.extenders.filter(({ calls }) => calls.preempt), pod, candidates, cycle.snapshot));
    return left instanceof Promise ? left.then((some) => carryOut(pod, some)) : carryOut(pod, left);
  }

  function carryOut(pod: PodInfo, candidates: readonly Candidate[]): PostFilterResult {
    const best = pickCandidate(candidates);
    if (!best) return { status: unschedulable("preemption: no candidate node for preemption") };
    executor.run(best, pod);
    return { nominate: best.nodeName, status: undefined };
  }

  function failure(error: unknown): PostFilterResult {
    const status = failed(error);
    return { status: { ...status, reasons: status.reasons.map((reason) => `preemption: ${reason}`) } };
  }

  return definePlugin({
    name,
    // Whoever rejected the pod knows what helps; this plugin only lets it in when the victims are on their way out.
    events: () => [{ resource: "Pod", actions: ["Delete"], hint: () => "Skip" }],
    preEnqueue: ({ metadata }) => (executor.isRunning(metadata.uid!) ? stillPreempting : undefined),
    postFilter(pod, cycle) {
      handle.metrics.preemptionAttempts.inc();
      try {
        const result = preempt(pod, cycle);
        return result instanceof Promise ? result.catch(failure) : result;
      } catch (error) {
        return failure(error);
      }
    },
  });
}

/** A pod that has been promised a node waits for the pods there that were told to go. */
function whyIneligible({ pod, priority }: PodInfo, { snapshot, statusOf }: FailedCycle, nominated: string | undefined): string | undefined {
  if (pod.spec.preemptionPolicy === "Never") return neverPreempts;
  if (!nominated || isUnresolvable(statusOf(nominated))) return undefined;
  for (const other of snapshot.node(nominated)?.pods.values() ?? []) if (other.priority < priority && isGoing(other.pod)) return victimsAreGoing;
  return undefined;
}

const isGoing = ({ metadata, status }: Frozen<Pod>): boolean =>
  metadata.deletionTimestamp !== undefined && (status?.conditions ?? []).some((condition) => condition.type === "DisruptionTarget" && condition.status === "True" && condition.reason === "PreemptionByScheduler");
