import { definePlugin, unschedulable } from "../framework.ts";

/** Two pods of a node can't have the same hostPort of a protocol on one address. */
export const nodePorts = definePlugin({
  name: "NodePorts",
  events: () => [{ resource: "Pod", actions: ["Delete"] }, { resource: "Node", actions: ["Add"] }],
  preFilter: ({ hostPorts }) => (hostPorts.length === 0 ? { skip: true } : { state: undefined }),
  filter: ({ hostPorts }, node) => (hostPorts.some((port) => node.portTaken(port)) ? unschedulable("node(s) didn't have free ports for the requested pod ports") : undefined),
});
