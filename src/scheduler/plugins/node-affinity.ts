import type { Frozen } from "../../apimachinery/meta.ts";
import type { Node, NodeSelectorTerm, Pod } from "../../apis/generated/core/v1.ts";
import type { Hint } from "../cluster-events.ts";
import type { NodeAffinityArgs } from "../configuration/plugin-args.ts";
import { definePlugin, normalizeByMax, unresolvable, type AnyPlugin } from "../framework.ts";
import { matchesNodeTerm, matchesRequiredNodes, namedLabels, parseNodeTerm, parsePreferredTerms, preferenceFor, requiredNodes, type NamedLabels, type PreferredTerm, type RequiredNodes } from "../../apis/core/node-selector.ts";

const mismatch = unresolvable("node(s) didn't match Pod's node affinity/selector");
const enforcedMismatch = unresolvable("node(s) didn't match scheduler-enforced node affinity");
const conflict = unresolvable("pod affinity terms conflict");

/** nodeSelector and node affinity, required and preferred, and what the profile adds to every pod's. Source: kubernetes plugins/nodeaffinity. */
export function nodeAffinity({ addedAffinity }: NodeAffinityArgs = {}): AnyPlugin {
  const addedTerms = addedAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms.map(parseNodeTerm);
  const addedPreferences = parsePreferredTerms(addedAffinity?.preferredDuringSchedulingIgnoredDuringExecution);
  const allowed = (node: NamedLabels): boolean => !addedTerms || addedTerms.some((term) => matchesNodeTerm(term, node));
  const preferencesOf = (pod: Frozen<Pod>): PreferredTerm[] => [...addedPreferences, ...parsePreferredTerms(pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution)];
  return definePlugin<RequiredNodes, readonly PreferredTerm[]>({
    name: "NodeAffinity",
    events: () => [{ resource: "Node", actions: ["Add", "UpdateNodeLabel"], hint: (pod, old, current) => afterNodeChange(pod, old, current, allowed) }],
    preFilter({ pod }) {
      const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
      if (!terms && !pod.spec.nodeSelector && !addedTerms) return { skip: true };
      const nodeNames = namedNodes(terms);
      return nodeNames?.size === 0 ? { rejected: conflict } : { state: requiredNodes(pod), nodeNames };
    },
    filter({ pod }, node, required = requiredNodes(pod)) {
      if (!allowed(node)) return enforcedMismatch;
      return matchesRequiredNodes(required, node) ? undefined : mismatch;
    },
    preScore({ pod }) {
      const preferred = preferencesOf(pod);
      return preferred.length > 0 ? { state: preferred } : { skip: true };
    },
    score: ({ pod }, node, preferred = preferencesOf(pod)) => preferenceFor(node, preferred),
    normalize: (scores) => normalizeByMax(scores),
  });
}

/** A node that matches, and didn't before. */
function afterNodeChange(pod: Frozen<Pod>, old: Frozen<Node> | undefined, current: Frozen<Node> | undefined, allowed: (node: NamedLabels) => boolean): Hint {
  if (!current) return "Skip";
  const required = requiredNodes(pod), node = namedLabels(current);
  if (!allowed(node) || !matchesRequiredNodes(required, node)) return "Skip";
  if (!old) return "Queue";
  const before = namedLabels(old);
  return allowed(before) && matchesRequiredNodes(required, before) ? "Skip" : "Queue";
}

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
