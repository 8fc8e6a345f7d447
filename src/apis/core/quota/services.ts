import type { Frozen } from "../../../apimachinery/meta.ts";
import type { Service } from "../../generated/core/v1.ts";
import { countOf } from "./amounts.ts";
import type { QuotaEvaluator } from "./evaluator.ts";

const names = new Set(["count/services", "services", "services.nodeports", "services.loadbalancers"]);

/** Services, and those that take ports of the nodes or a load balancer. Source: kubernetes pkg/quota/v1/evaluator/core/services.go. */
export const serviceQuota: QuotaEvaluator = {
  group: "", resource: "services",
  matching: (asked) => asked.filter((name) => names.has(name)),
  handles: ({ operation, subresource }) => subresource === "" && (operation === "CREATE" || operation === "UPDATE"),
  usage(object) {
    const { spec } = object as Frozen<Service>;
    return new Map([
      ["count/services", countOf(1)], ["services", countOf(1)],
      ["services.nodeports", countOf(nodePorts(spec))], ["services.loadbalancers", countOf(spec?.type === "LoadBalancer" ? 1 : 0)],
    ]);
  },
  matchesScope: () => false,
  released: (old, current) => quotaType(old as Frozen<Service>) !== quotaType(current as Frozen<Service>),
};

function nodePorts(spec: Frozen<Service>["spec"]): number {
  const ports = spec?.ports ?? [];
  if (spec?.type === "NodePort") return ports.length;
  if (spec?.type !== "LoadBalancer") return 0;
  return spec.allocateLoadBalancerNodePorts === false ? ports.filter(({ nodePort }) => nodePort).length : ports.length;
}

const quotaType = ({ spec }: Frozen<Service>): string => (spec?.type === "NodePort" || spec?.type === "LoadBalancer" ? spec.type : "");
