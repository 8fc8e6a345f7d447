import type { Frozen } from "../../apimachinery/meta.ts";
import { fromSet, makeRequirement, matchesLabels, nothing, type LabelOperator, type Selector } from "../../apimachinery/selectors/labels.ts";
import type { Node, NodeSelectorRequirement, NodeSelectorTerm, Pod, PreferredSchedulingTerm } from "../generated/core/v1.ts";

/** What is matched: a node by its name and labels. */
export interface NamedLabels {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Of a node as the API has it. */
export const namedLabels = ({ metadata }: Frozen<Node>): NamedLabels => ({ name: metadata.name!, labels: metadata.labels ?? {} });

/** A term of node affinity, ready to be matched against many nodes. */
export interface NodeTerm {
  readonly labels: Selector;
  /** Over `metadata.name` alone: names that it must be, or must not be. */
  readonly names: readonly { readonly name: string; readonly equal: boolean }[];
}

/** What a pod requires of its node's labels and name: `nodeSelector`, and any one of the terms where there are terms. */
export interface RequiredNodes {
  readonly selector: Selector;
  readonly terms: readonly NodeTerm[] | undefined;
}

export interface PreferredTerm extends NodeTerm {
  readonly weight: number;
}

const operators: Readonly<Record<string, LabelOperator>> = { In: "in", NotIn: "notin", Exists: "exists", DoesNotExist: "!", Gt: "gt", Lt: "lt" };

/** A requirement that isn't valid, which the API lets through in preferences alone, matches no node. */
function parseRequirements(requirements: readonly Frozen<NodeSelectorRequirement>[] = []): Selector {
  try {
    return requirements.map(({ key, operator, values = [] }) => makeRequirement(key, operators[operator]!, values));
  } catch {
    return nothing;
  }
}

export const parseNodeTerm = ({ matchExpressions, matchFields = [] }: Frozen<NodeSelectorTerm>): NodeTerm => ({
  labels: parseRequirements(matchExpressions), names: matchFields.map(({ operator, values = [] }) => ({ name: values[0] ?? "", equal: operator === "In" })),
});

/** A term without requirements matches no node. */
export function matchesNodeTerm({ labels, names }: NodeTerm, node: NamedLabels): boolean {
  if (labels.length === 0 && names.length === 0) return false;
  return matchesLabels(labels, node.labels) && names.every(({ name, equal }) => (name === node.name) === equal);
}

export function requiredNodes({ spec }: Frozen<Pod>): RequiredNodes {
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return { selector: fromSet(spec.nodeSelector), terms: required?.nodeSelectorTerms.map(parseNodeTerm) };
}

export const matchesRequiredNodes = ({ selector, terms }: RequiredNodes, node: NamedLabels): boolean =>
  matchesLabels(selector, node.labels) && (!terms || terms.some((term) => matchesNodeTerm(term, node)));

export const parsePreferredTerms = (terms: readonly Frozen<PreferredSchedulingTerm>[] = []): PreferredTerm[] => terms.map(({ preference, weight }) => ({ ...parseNodeTerm(preference), weight }));

/** The weights of the terms that match, together. */
export function preferenceFor(node: NamedLabels, preferred: readonly PreferredTerm[]): number {
  let sum = 0;
  for (const term of preferred) if (matchesNodeTerm(term, node)) sum += term.weight;
  return sum;
}
