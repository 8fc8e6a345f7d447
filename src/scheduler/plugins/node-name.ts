import { definePlugin, unresolvable } from "../framework.ts";

const mismatch = unresolvable("node(s) didn't match the requested node name");

/** A pod that names its node goes nowhere else. */
export const nodeName = definePlugin({
  name: "NodeName",
  events: () => [{ resource: "Node", actions: ["Add"] }],
  filter: ({ pod }, { name }) => (pod.spec.nodeName && pod.spec.nodeName !== name ? mismatch : undefined),
});
