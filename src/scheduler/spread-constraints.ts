import type { Frozen } from "../apimachinery/meta.ts";
import { fromSet, type Selector } from "../apimachinery/selectors/labels.ts";
import type { Pod, TopologySpreadConstraint } from "../apis/generated/core/v1.ts";
import { parseSelector } from "./affinity-term.ts";
import { countPods, podQuery, type PodQuery } from "./match-counts.ts";
import type { NodeInfo } from "./node-info.ts";
import { matchesRequiredNodes, requiredNodes } from "../apis/core/node-selector.ts";
import type { PodInfo } from "./pod-info.ts";
import { untoleratedTaint } from "../apis/core/taints.ts";

export const hostnameLabel = "kubernetes.io/hostname";

/** Of pods that have none of their own: wishes alone. Source: podtopologyspread (systemDefaultConstraints). */
export const systemConstraints: readonly TopologySpreadConstraint[] = [
  { topologyKey: hostnameLabel, whenUnsatisfiable: "ScheduleAnyway", maxSkew: 3 },
  { topologyKey: "topology.kubernetes.io/zone", whenUnsatisfiable: "ScheduleAnyway", maxSkew: 5 },
];

export type When = TopologySpreadConstraint["whenUnsatisfiable"];

/** A constraint ready to be counted. */
export interface SpreadConstraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly selector: Selector;
  readonly query: PodQuery;
  /** Nodes where the pod could not run don't count as places. */
  readonly honorsAffinity: boolean;
  readonly honorsTaints: boolean;
}

/** Those of one kind; with `selector` in place of their own. */
export function parseConstraints(constraints: readonly Frozen<TopologySpreadConstraint>[], when: When, { metadata }: Frozen<Pod>, selector?: Selector): SpreadConstraint[] {
  return constraints.filter(({ whenUnsatisfiable }) => whenUnsatisfiable === when).map((constraint) => {
    const selects = selector ?? withLabelsOf(metadata.labels, constraint.matchLabelKeys, parseSelector(constraint.labelSelector));
    return {
      topologyKey: constraint.topologyKey, maxSkew: constraint.maxSkew, minDomains: constraint.minDomains ?? 1,
      selector: selects, query: podQuery(metadata.namespace!, selects, { staying: true }),
      honorsAffinity: (constraint.nodeAffinityPolicy ?? "Honor") === "Honor", honorsTaints: constraint.nodeTaintsPolicy === "Honor",
    };
  });
}

/** matchLabelKeys: pods that have these labels in common with this one. */
function withLabelsOf(labels: Readonly<Record<string, string>> = {}, keys: readonly string[] = [], selector: Selector): Selector {
  const own = Object.fromEntries(keys.filter((key) => labels[key] !== undefined).map((key) => [key, labels[key]!]));
  return selector === "nothing" || Object.keys(own).length === 0 ? selector : [...(fromSet(own) as readonly never[]), ...selector];
}

/** Decides whether a node is a place at all for a constraint (nodeAffinityPolicy, nodeTaintsPolicy). */
export function placesFor({ pod }: PodInfo): (constraint: SpreadConstraint, node: NodeInfo) => boolean {
  const required = requiredNodes(pod);
  return ({ honorsAffinity, honorsTaints }, node) =>
    (!honorsAffinity || matchesRequiredNodes(required, node)) && (!honorsTaints || !untoleratedTaint(node.node.spec?.taints, pod.spec.tolerations));
}

/** Pods of the namespace on the node that the constraint's selector matches and that are to stay. An empty selector counts none. */
export const countMatching = (node: NodeInfo, { selector, query }: SpreadConstraint): number => (selector.length === 0 ? 0 : countPods(node, query));

export function hasAllKeys({ labels }: Pick<NodeInfo, "labels">, constraints: readonly SpreadConstraint[]): boolean {
  for (const { topologyKey } of constraints) if (labels[topologyKey] === undefined) return false;
  return true;
}
