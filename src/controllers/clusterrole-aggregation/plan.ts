import { fromLabelSelector, matchesLabels } from "../../apimachinery/selectors/labels.ts";
import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import type { ClusterRole, PolicyRule } from "../../apis/generated/rbac/v1.ts";

/** The rules an aggregated role is to have: those of the roles that its selectors pick, selector by selector and in order of name, each once. */
export function aggregatedRules(role: Frozen<ClusterRole>, roles: readonly Frozen<ClusterRole>[]): PolicyRule[] {
  const selectors = (role.aggregationRule?.clusterRoleSelectors ?? []).map(fromLabelSelector);
  const rules = new Map<string, PolicyRule>();
  const sorted = roles.filter(({ metadata }) => metadata.name !== role.metadata.name).toSorted((a, b) => (a.metadata.name! < b.metadata.name! ? -1 : 1));
  for (const selector of selectors) {
    for (const other of sorted) {
      if (!matchesLabels(selector, other.metadata.labels)) continue;
      for (const rule of other.rules ?? []) if (!rules.has(keyOf(rule))) rules.set(keyOf(rule), thaw<PolicyRule>(rule));
    }
  }
  return [...rules.values()];
}

const keyOf = ({ apiGroups, resources, resourceNames, nonResourceURLs, verbs }: Frozen<PolicyRule>): string => JSON.stringify([apiGroups ?? [], resources ?? [], resourceNames ?? [], nonResourceURLs ?? [], verbs]);
