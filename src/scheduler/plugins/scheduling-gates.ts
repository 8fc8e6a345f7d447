import { definePlugin } from "../framework.ts";

/** Pods with gates aren't tried. The registry has given them the condition that says so when they were created. */
export const schedulingGates = definePlugin({
  name: "SchedulingGates",
  requeueOn: ["PodUpdate"],
  preEnqueue: ({ spec }) => (spec.schedulingGates?.length ? `waiting for scheduling gates: [${spec.schedulingGates.map(({ name }) => name).join(" ")}]` : undefined),
});
