import { fromLabelSelector, matchesLabels } from "../../apimachinery/selectors/labels.ts";
import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import type { ClusterRole, PolicyRule } from "../../apis/generated/rbac/v1.ts";

/** The rules an aggregated role is to have: those of all roles its selectors pick, in order of name, each once. */
export function aggregatedRules(role: Frozen<ClusterRole>, roles: readonly Frozen<ClusterRole>[]): PolicyRule[] {
  const selectors = (role.aggregationRule?.clusterRoleSelectors ?? []).map(fromLabelSelector);
  const rules = new Map<string, PolicyRule>();
  for (const other of roles.toSorted((a, b) => (a.metadata.name! < b.metadata.name! ? -1 : 1))) {
    if (other.metadata.name === role.metadata.name || !selectors.some((selector) => matchesLabels(selector, other.metadata.labels))) continue;
    for (const rule of other.rules ?? []) rules.set(JSON.stringify(rule), thaw<PolicyRule>(rule));
  }
  return [...rules.values()];
}
