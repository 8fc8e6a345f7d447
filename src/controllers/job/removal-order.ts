import type { Frozen } from "../../apimachinery/meta.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { isPodReady, podCondition } from "../pod-status.ts";

const phaseRank: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/** Pods that have come less far first. Source: ActivePods in k8s.io/kubernetes/pkg/controller. */
export const removalOrder = (pods: readonly Frozen<Pod>[]): Frozen<Pod>[] => pods.toSorted((a, b) =>
  Number(!!a.spec.nodeName) - Number(!!b.spec.nodeName)
  || phaseOf(a) - phaseOf(b)
  || Number(isPodReady(a)) - Number(isPodReady(b))
  || (isPodReady(a) && isPodReady(b) ? laterFirst(readySince(a), readySince(b)) : 0)
  || restarts(b) - restarts(a)
  || laterFirst(a.metadata.creationTimestamp, b.metadata.creationTimestamp));

const phaseOf = ({ status }: Frozen<Pod>): number => phaseRank[status?.phase ?? "Pending"] ?? 0;
const readySince = (pod: Frozen<Pod>): string | null | undefined => podCondition(pod, "Ready")?.lastTransitionTime;
const restarts = ({ status }: Frozen<Pod>): number => Math.max(0, ...(status?.containerStatuses ?? []).map(({ restartCount }) => restartCount));

/** What has no time comes before all. */
function laterFirst(a: string | null | undefined, b: string | null | undefined): number {
  const at = (time: string | null | undefined): number => (time ? Date.parse(time) : Number.MAX_SAFE_INTEGER);
  return at(b) - at(a);
}
