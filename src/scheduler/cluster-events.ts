import { semanticEqual } from "../apimachinery/equality.ts";
import type { Frozen } from "../apimachinery/meta.ts";
import type { Node, Pod } from "../apis/generated/core/v1.ts";

/** Whether a change of a node may let pods fit; heartbeats don't. */
export function nodeMayFitMore(old: Frozen<Node>, current: Frozen<Node>): boolean {
  return !semanticEqual(old.status?.allocatable, current.status?.allocatable)
    || !semanticEqual(old.metadata.labels, current.metadata.labels)
    || !semanticEqual(old.spec?.taints, current.spec?.taints)
    || Boolean(old.spec?.unschedulable) !== Boolean(current.spec?.unschedulable);
}

/** Whether a change of a pod matters to where it, or others, may go; what the scheduler itself writes doesn't. */
export const podMayFit = (old: Frozen<Pod>, current: Frozen<Pod>): boolean =>
  !semanticEqual(old.spec, current.spec) || !semanticEqual(old.metadata.labels, current.metadata.labels);

const isTerminal = ({ status }: Frozen<Pod>): boolean => status?.phase === "Succeeded" || status?.phase === "Failed";

/** Takes up its node's room. */
export const isAssigned = (pod: Frozen<Pod> | undefined): pod is Frozen<Pod> => pod !== undefined && Boolean(pod.spec.nodeName) && !isTerminal(pod);

/** Is ours to find a node for. */
export const isPending = (pod: Frozen<Pod> | undefined, schedulerName: string): pod is Frozen<Pod> =>
  pod !== undefined && !pod.spec.nodeName && !pod.metadata.deletionTimestamp && !isTerminal(pod) && pod.spec.schedulerName === schedulerName;
