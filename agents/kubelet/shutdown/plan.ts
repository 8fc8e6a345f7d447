import type { Pod } from "../pod/pod.ts";
import { systemCriticalPriority } from "../pod/preemption.ts";

/** How long pods of this priority and above get to end, up to the next in the list. */
export interface ShutdownPeriod {
  priority: number;
  seconds: number;
}

export interface ShutdownGroup extends ShutdownPeriod {
  pods: readonly Pod[];
}

/** A kubelet's shutdownGracePeriod, and what of it is for critical pods, last of all. Throws where it can't be; empty where none is given. */
export function shutdownPeriods(totalSeconds: number, criticalSeconds: number): ShutdownPeriod[] {
  if (totalSeconds < criticalSeconds) throw new Error(`of ${totalSeconds} s for all pods to end, ${criticalSeconds} s can't be for critical ones`);
  if (totalSeconds === 0) return [];
  return [{ priority: 0, seconds: totalSeconds - criticalSeconds }, { priority: systemCriticalPriority, seconds: criticalSeconds }];
}

/** The pods in the order in which they end: of the lowest priority first. Source: k8s.io/kubernetes/pkg/kubelet/nodeshutdown groupByPriority. */
export function shutdownGroups(periods: readonly ShutdownPeriod[], pods: readonly Pod[]): ShutdownGroup[] {
  const sorted = periods.toSorted((a, b) => a.priority - b.priority);
  const indexOf = (pod: Pod): number => Math.max(0, sorted.findLastIndex(({ priority }) => priority <= (pod.spec.priority ?? 0)));
  return sorted.map((period, index) => ({ ...period, pods: pods.filter((pod) => indexOf(pod) === index) })).filter((group) => group.pods.length > 0);
}
