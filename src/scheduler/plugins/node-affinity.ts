import type { Frozen } from "../../apimachinery/meta.ts";
import type { NodeSelectorTerm } from "../../apis/generated/core/v1.ts";
import { definePlugin, normalizeByMax, unresolvable } from "../framework.ts";
import { matchesNodeTerm, matchesRequiredNodes, parseNodeTerm, requiredNodes, type NodeTerm, type RequiredNodes } from "../node-selector.ts";

/** nodeSelector and node affinity, required and preferred. */
export const nodeAffinity = definePlugin<RequiredNodes, readonly (NodeTerm & { weight: number })[]>({
  name: "NodeAffinity",
  events: () => [{ resource: "Node", actions: ["Add", "UpdateNodeLabel"] }],
  preFilter({ pod }) {
    const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
    if (!terms && !pod.spec.nodeSelector) return { skip: true };
    const nodeNames = namedNodes(terms);
    if (nodeNames?.size === 0) return { rejected: unresolvable("pod affinity terms conflict") };
    return { state: requiredNodes(pod), nodeNames };
  },
  filter: (_, node, required) => (matchesRequiredNodes(required, node) ? undefined : unresolvable("node(s) didn't match Pod's node affinity/selector")),
  preScore({ pod }) {
    const preferred = pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution;
    return preferred?.length ? { state: preferred.map(({ preference, weight }) => ({ ...parseNodeTerm(preference), weight })) } : { skip: true };
  },
  score(_, node, preferred) {
    let sum = 0;
    for (const term of preferred) if (matchesNodeTerm(term, node)) sum += term.weight;
    return sum;
  },
  normalize: (scores) => normalizeByMax(scores),
});

/** The nodes that all terms together name by metadata.name, as pods of DaemonSets do; undefined when a term doesn't name any. */
function namedNodes(terms: readonly Frozen<NodeSelectorTerm>[] | undefined): ReadonlySet<string> | undefined {
  if (!terms?.length) return undefined;
  let names = new Set<string>();
  for (const { matchFields = [] } of terms) {
    const lists = matchFields.filter(({ key, operator }) => key === "metadata.name" && operator === "In").map(({ values = [] }) => new Set(values));
    if (lists.length === 0) return undefined;
    names = names.union(lists.reduce((a, b) => a.intersection(b)));
  }
  return names;
}
