import type { Frozen } from "../apimachinery/meta.ts";
import type { Pod } from "../apis/generated/core/v1.ts";
import type { Diagnosis } from "./schedule.ts";

/** Without any node there is nothing to list. Source: kubernetes pkg/scheduler (ErrNoNodesAvailable). */
export const noNodesAvailable = "no nodes available to schedule pods";

/** What PodScheduled and FailedScheduling say, in kube-scheduler's words (FitError.Error). */
export function failureMessage(diagnosis: Diagnosis, pod: Frozen<Pod>): string {
  if (diagnosis.nodes === 0) return noNodesAvailable;
  const reasons = diagnosis.preFilter ? diagnosis.preFilter.reasons.join(", ") : histogram(reasonCounts(diagnosis));
  return `0/${diagnosis.nodes} nodes are available:${reasons ? ` ${reasons}.` : ""} ${afterwards(diagnosis, pod)}`;
}

function reasonCounts({ nodes, rejections, absent }: Diagnosis): Map<string, number> {
  const counts = new Map<string, number>();
  const count = (reasons: readonly string[], times: number): void => {
    for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + times);
  };
  for (const { reasons } of rejections.values()) count(reasons, 1);
  if (absent && nodes > rejections.size) count(absent.reasons, nodes - rejections.size);
  return counts;
}

/** `2 Insufficient cpu, 1 …`, sorted as text: that is why 10 comes before 2. */
const histogram = (counts: ReadonlyMap<string, number>): string => [...counts].map(([reason, count]) => `${count} ${reason}`).sort().join(", ");

/** What the plugins after filtering say: no claim of a device was worth giving up, and no pod. */
function afterwards(diagnosis: Diagnosis, { spec }: Frozen<Pod>): string {
  const claims = "no new claims to deallocate, ";
  if (spec.preemptionPolicy === "Never") return `${claims}preemption: not eligible due to preemptionPolicy=Never.`;
  const { nodes, preFilter, rejections } = diagnosis;
  const resolvable = preFilter ? (preFilter.unresolvable ? 0 : nodes) : [...rejections.values()].filter(({ unresolvable }) => !unresolvable).length;
  const counts = new Map<string, number>();
  if (resolvable > 0) counts.set("No preemption victims found for incoming pod", resolvable);
  if (nodes > resolvable) counts.set("Preemption is not helpful for scheduling", nodes - resolvable);
  return `${claims}preemption: 0/${nodes} nodes are available: ${histogram(counts)}.`;
}
