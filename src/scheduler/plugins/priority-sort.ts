import { definePlugin } from "../framework.ts";

/** By priority, then by who came first. */
export const prioritySort = definePlugin({
  name: "PrioritySort",
  queueSort: (a, b) => (b.pod.spec.priority ?? 0) - (a.pod.spec.priority ?? 0) || a.timestamp - b.timestamp,
});
