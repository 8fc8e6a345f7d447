import { qosClassOf } from "../../../src/apis/core/pod/qos.ts";
import type { Pod } from "../pod/pod.ts";

/** A pod that waits for the resources its spec asks for. */
export interface Waiting {
  pod: Pod;
  /** Whether it asks for more than it was granted. */
  asksMore: boolean;
  /** When it was told for the first time that it has to wait, in milliseconds; undefined before. */
  since?: number;
}

/**
 * Who is served first: those that ask for no more, then by priority, then guaranteed pods, then those that have waited longest.
 * Source: k8s.io/kubernetes/pkg/kubelet/allocation sortPendingResizes.
 */
export function byUrgency(a: Waiting, b: Waiting): number {
  return Number(a.asksMore) - Number(b.asksMore)
    || (b.pod.spec.priority ?? 0) - (a.pod.spec.priority ?? 0)
    || Number(qosClassOf(b.pod) === "Guaranteed") - Number(qosClassOf(a.pod) === "Guaranteed")
    || orderOf(a.since, b.since);
}

function orderOf(a: number | undefined, b: number | undefined): number {
  if (a === b) return 0;
  return (a ?? Infinity) - (b ?? Infinity);
}
