import type { Frozen } from "../apimachinery/meta.ts";
import { fromSet, matchesLabels, type Selector } from "../apimachinery/selectors/labels.ts";
import type { Pod, TopologySpreadConstraint } from "../apis/generated/core/v1.ts";
import { parseSelector } from "./affinity-term.ts";
import type { NodeInfo } from "./node-info.ts";
import { matchesRequiredNodes, requiredNodes, type RequiredNodes } from "./node-selector.ts";
import type { PodInfo } from "./pod-info.ts";
import type { Snapshot } from "./snapshot.ts";
import { untoleratedTaint } from "./taints.ts";

export const hostnameLabel = "kubernetes.io/hostname";
const zoneLabel = "topology.kubernetes.io/zone";

/** A constraint ready to be counted. */
export interface SpreadConstraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly selector: Selector;
  /** Nodes where the pod could not run don't count as places. */
  readonly honorsAffinity: boolean;
  readonly honorsTaints: boolean;
}

type When = TopologySpreadConstraint["whenUnsatisfiable"];

/** The pod's own constraints of one kind. */
export function ownConstraints({ pod }: PodInfo, when: When): SpreadConstraint[] {
  return (pod.spec.topologySpreadConstraints ?? []).filter(({ whenUnsatisfiable }) => whenUnsatisfiable === when).map((constraint) => ({
    topologyKey: constraint.topologyKey,
    maxSkew: constraint.maxSkew,
    minDomains: constraint.minDomains ?? 1,
    selector: parseSelector(constraint.labelSelector),
    honorsAffinity: (constraint.nodeAffinityPolicy ?? "Honor") === "Honor",
    honorsTaints: constraint.nodeTaintsPolicy === "Honor",
  }));
}

/** Of pods that have none of their own and belong to a service or a ReplicaSet: wishes alone. Source: podtopologyspread (systemDefaultConstraints). */
export function systemConstraints({ pod }: PodInfo, snapshot: Snapshot): SpreadConstraint[] {
  const selector = selectorOfOwners(pod, snapshot);
  if (selector.length === 0) return [];
  const common = { minDomains: 1, selector, honorsAffinity: true, honorsTaints: false };
  return [{ ...common, topologyKey: hostnameLabel, maxSkew: 3 }, { ...common, topologyKey: zoneLabel, maxSkew: 5 }];
}

/** What the services of a pod and its ReplicaSet select by, together. Source: plugins/helper (DefaultSelector). */
function selectorOfOwners({ metadata }: Frozen<Pod>, snapshot: Snapshot): Selector {
  const labels: Record<string, string> = {};
  for (const { spec } of snapshot.services(metadata.namespace!)) {
    if (spec.selector && Object.keys(spec.selector).length > 0 && matchesLabels(fromSet(spec.selector), metadata.labels)) Object.assign(labels, spec.selector);
  }
  const owner = metadata.ownerReferences?.find(({ controller }) => controller);
  const replicaset = owner?.kind === "ReplicaSet" ? snapshot.replicaset(metadata.namespace!, owner.name) : undefined;
  const own = replicaset ? parseSelector(replicaset.spec.selector) : [];
  return own === "nothing" ? fromSet(labels) : [...(fromSet(labels) as readonly never[]), ...own];
}

/** Decides whether a node is a place at all for a constraint (nodeAffinityPolicy, nodeTaintsPolicy). */
export function placesFor({ pod }: PodInfo): (constraint: SpreadConstraint, node: NodeInfo) => boolean {
  const required: RequiredNodes = requiredNodes(pod);
  return ({ honorsAffinity, honorsTaints }, node) =>
    (!honorsAffinity || matchesRequiredNodes(required, node)) && (!honorsTaints || !untoleratedTaint(node.node.spec?.taints, pod.spec.tolerations));
}

/** Pods of the namespace on the node that the selector matches and that are to stay. */
export function countMatching({ pods }: NodeInfo, selector: Selector, namespace: string): number {
  let count = 0;
  for (const { pod, namespace: its } of pods.values()) if (its === namespace && !pod.metadata.deletionTimestamp && matchesLabels(selector, pod.metadata.labels)) count++;
  return count;
}

export const hasAllKeys = ({ labels }: NodeInfo, constraints: readonly SpreadConstraint[]): boolean => constraints.every(({ topologyKey }) => labels[topologyKey] !== undefined);
