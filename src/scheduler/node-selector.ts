import type { Frozen } from "../apimachinery/meta.ts";
import { fromSet, makeRequirement, matchesLabels, nothing, type LabelOperator, type Selector } from "../apimachinery/selectors/labels.ts";
import type { NodeSelectorRequirement, NodeSelectorTerm, Pod } from "../apis/generated/core/v1.ts";
import type { NodeInfo } from "./node-info.ts";

/** A term of node affinity, ready to be matched against many nodes. */
export interface NodeTerm {
  readonly labels: Selector;
  /** Over `metadata.name` alone. */
  readonly fields: Selector;
}

/** What a pod requires of its node's labels and name: `nodeSelector`, and any one of the terms where there are terms. */
export interface RequiredNodes {
  readonly selector: Selector;
  readonly terms: readonly NodeTerm[] | undefined;
}

const operators: Readonly<Record<string, LabelOperator>> = { In: "in", NotIn: "notin", Exists: "exists", DoesNotExist: "!", Gt: "gt", Lt: "lt" };

function parseRequirements(requirements: readonly Frozen<NodeSelectorRequirement>[] = []): Selector {
  try {
    return requirements.map(({ key, operator, values = [] }) => makeRequirement(key, operators[operator]!, values));
  } catch {
    // The API lets no such requirement in.
    return nothing;
  }
}

export const parseNodeTerm = ({ matchExpressions, matchFields }: Frozen<NodeSelectorTerm>): NodeTerm => ({ labels: parseRequirements(matchExpressions), fields: parseRequirements(matchFields) });

/** A term without requirements matches no node. */
export function matchesNodeTerm({ labels, fields }: NodeTerm, node: NodeInfo): boolean {
  if (labels.length === 0 && fields.length === 0) return false;
  return matchesLabels(labels, node.labels) && matchesLabels(fields, { "metadata.name": node.name });
}

export function requiredNodes({ spec }: Frozen<Pod>): RequiredNodes {
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return { selector: fromSet(spec.nodeSelector), terms: required?.nodeSelectorTerms.map(parseNodeTerm) };
}

export const matchesRequiredNodes = ({ selector, terms }: RequiredNodes, node: NodeInfo): boolean =>
  matchesLabels(selector, node.labels) && (!terms || terms.some((term) => matchesNodeTerm(term, node)));
