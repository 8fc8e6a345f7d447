import { definePlugin, unresolvable } from "../framework.ts";

/** Pods with gates aren't tried. The registry has given them the condition that says so when they were created. */
export const schedulingGates = definePlugin({
  name: "SchedulingGates",
  events: () => [{ resource: "Pod", actions: ["UpdatePodSchedulingGatesEliminated"], hint: ({ metadata }, _, current) => (metadata.uid === current?.metadata.uid ? "Queue" : "Skip") }],
  preEnqueue: ({ spec }) => (spec.schedulingGates?.length ? unresolvable(`waiting for scheduling gates: [${spec.schedulingGates.map(({ name }) => name).join(" ")}]`) : undefined),
});
