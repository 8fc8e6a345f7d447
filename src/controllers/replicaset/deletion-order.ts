import type { Frozen } from "../../apimachinery/meta.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { isPodReady, podCondition } from "../pod-status.ts";

const phaseRank: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 };
const deletionCost = "controller.kubernetes.io/pod-deletion-cost";

/**
 * Sorts pods so that those to delete first come first, as a ReplicaSet prefers. `related` are the active pods of all ReplicaSets with the same
 * owner: of two alike pods the one on the node with more of them goes. Source: ActivePodsWithRanks in k8s.io/kubernetes/pkg/controller.
 */
export function deletionOrder(pods: readonly Frozen<Pod>[], related: readonly Frozen<Pod>[], now: number): Frozen<Pod>[] {
  const perNode = new Map<string, number>();
  for (const { spec: { nodeName } } of related) if (nodeName) perNode.set(nodeName, (perNode.get(nodeName) ?? 0) + 1);
  const rank = (pod: Frozen<Pod>): number => perNode.get(pod.spec.nodeName ?? "") ?? 0;
  return pods.toSorted((a, b) => compare(a, b, rank, now));
}

function compare(a: Frozen<Pod>, b: Frozen<Pod>, rank: (pod: Frozen<Pod>) => number, now: number): number {
  return Number(!!a.spec.nodeName) - Number(!!b.spec.nodeName)
    || phase(a) - phase(b)
    || Number(isPodReady(a)) - Number(isPodReady(b))
    || cost(a) - cost(b)
    || rank(b) - rank(a)
    || (isPodReady(a) && isPodReady(b) ? byAge(readySince(a), readySince(b), a, b, now) : 0)
    || restarts(b) - restarts(a) || sidecarRestarts(b) - sidecarRestarts(a)
    || byAge(time(a.metadata.creationTimestamp), time(b.metadata.creationTimestamp), a, b, now);
}

const phase = (pod: Frozen<Pod>): number => phaseRank[pod.status?.phase ?? "Pending"] ?? 0;
const time = (text: string | null | undefined): number | undefined => (text ? Date.parse(text) : undefined);
const readySince = (pod: Frozen<Pod>): number | undefined => time(podCondition(pod, "Ready")?.lastTransitionTime);
const restarts = (pod: Frozen<Pod>): number => Math.max(0, ...(pod.status?.containerStatuses ?? []).map((c) => c.restartCount));

function sidecarRestarts({ spec, status }: Frozen<Pod>): number {
  const sidecars = new Set((spec.initContainers ?? []).filter((c) => c.restartPolicy === "Always").map((c) => c.name));
  return Math.max(0, ...(status?.initContainerStatuses ?? []).filter((c) => sidecars.has(c.name)).map((c) => c.restartCount));
}

/** A 32-bit integer without a plus sign or leading zeros; anything else counts as 0. */
function cost(pod: Frozen<Pod>): number {
  const text = pod.metadata.annotations?.[deletionCost] ?? "";
  const value = /^(0|-\d+|[1-9]\d*)$/.test(text) ? Number(text) : 0;
  return Math.abs(value) < 2 ** 31 ? value : 0;
}

/** Younger first, by powers of two of the age; among alike ages by uid, so that the oldest don't always survive together. */
function byAge(a: number | undefined, b: number | undefined, podA: Frozen<Pod>, podB: Frozen<Pod>, now: number): number {
  if (a === b) return 0;
  if (a === undefined || b === undefined) return a === undefined ? -1 : 1;
  const bucket = (since: number): number => (now - since > 0 ? Math.floor(Math.log2((now - since) * 1e6)) : -1);
  return bucket(a) - bucket(b) || ((podA.metadata.uid ?? "") < (podB.metadata.uid ?? "") ? -1 : 1);
}
