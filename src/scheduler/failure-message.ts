import { messageOf, type Status } from "./framework.ts";
import type { Diagnosis } from "./schedule.ts";

/** Without any node there is nothing to list. Source: kubernetes pkg/scheduler (ErrNoNodesAvailable). */
export const noNodesAvailable = "no nodes available to schedule pods";

/** What PodScheduled and FailedScheduling say, in kube-scheduler's words (FitError.Error). */
export function fitError({ nodes, preFilter, statuses, absent, postFilter }: Omit<Diagnosis, "rejectors" | "pending">): string {
  const said = preFilter ? messageOf(preFilter) : histogram(statuses, absent, nodes);
  return `0/${nodes} nodes are available:${said ? ` ${said}.` : ""}${postFilter ? ` ${postFilter}` : ""}`;
}

/** `2 Insufficient cpu, 1 …`, sorted as text: that is why 10 comes before 2. */
function histogram(statuses: ReadonlyMap<string, Status>, absent: Status, nodes: number): string {
  const counts = new Map<string, number>();
  const count = (reasons: readonly string[], times: number): void => {
    for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + times);
  };
  for (const { reasons } of statuses.values()) count(reasons, 1);
  if (nodes > statuses.size) count(absent.reasons, nodes - statuses.size);
  return [...counts].map(([reason, times]) => `${times} ${reason}`).sort().join(", ");
}
