import type { Frozen, KubeObject } from "../../../apimachinery/meta.ts";
import { forbidden, notFound } from "../../../apimachinery/status.ts";
import type { ClusterRole, PolicyRule, Role, RoleBinding } from "../../../apis/generated/rbac/v1.ts";
import type { Authorizer, UserInfo } from "../../attributes.ts";
import type { Listers } from "../../listers.ts";
import { defineAdmission, type Admission, type AdmissionAttributes } from "../admission.ts";

const group = "rbac.authorization.k8s.io";

/**
 * Nobody hands out permissions they don't have: a role's rules must all be held by its writer, unless they may `escalate` it;
 * a binding's role must be covered likewise, unless they may `bind` it. Kubernetes does this in its RBAC storage.
 */
export function rbacEscalation({ listers, authorizer }: { listers: Listers; authorizer: Authorizer }): Admission {
  const roles = listers<Role>(group, "roles");
  const clusterRoles = listers<ClusterRole>(group, "clusterroles");

  function allowed(user: UserInfo, verb: string, resource: string, namespace: string, name: string): boolean {
    return authorizer.authorize({ user, verb, group, version: "v1", resource, subresource: "", namespace, name }).allowed;
  }

  function checkRole({ context: { user }, card, namespace, name, object, oldObject }: AdmissionAttributes): void {
    const role = object as ClusterRole;
    const old = oldObject as Frozen<ClusterRole> | undefined;
    if (allowed(user, "escalate", card.resource, namespace, name)) return;
    const aggregation = Boolean(role.aggregationRule) && !Bun.deepEquals(role.aggregationRule, old?.aggregationRule);
    const everything: PolicyRule[] = [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }, { nonResourceURLs: ["*"], verbs: ["*"] }];
    if (aggregation && everything.some((rule) => uncovered(authorizer, user, namespace, rule).length)) throw forbidden(card, name, "must have cluster-admin privileges to use the aggregationRule");
    if (old && Bun.deepEquals(old.rules ?? [], role.rules ?? [])) return;
    refuseUncovered({ authorizer, user, namespace, of: card, name, rules: role.rules ?? [] });
  }

  function checkBinding({ context: { user }, card, namespace, name, object, oldObject }: AdmissionAttributes): void {
    const binding = object as RoleBinding;
    const old = oldObject as Frozen<RoleBinding> | undefined;
    if (old && Bun.deepEquals(old.subjects ?? [], binding.subjects ?? []) && Bun.deepEquals(old.roleRef, binding.roleRef)) return;
    const { kind, name: roleName } = binding.roleRef;
    const resource = kind === "ClusterRole" ? "clusterroles" : "roles";
    if (allowed(user, "bind", resource, namespace, roleName)) return;
    const role = kind === "ClusterRole" ? clusterRoles.get(roleName) : roles.get(`${namespace}/${roleName}`);
    // Under the binding's own kind, as Kubernetes says it.
    if (!role) throw notFound(card, roleName);
    refuseUncovered({ authorizer, user, namespace, of: card, name, rules: role.rules ?? [] });
  }

  return defineAdmission({
    name: "RBACEscalation",
    operations: ["CREATE", "UPDATE"],
    resources: [`roles.${group}`, `clusterroles.${group}`, `rolebindings.${group}`, `clusterrolebindings.${group}`],
    validate(attributes) {
      const named = { ...attributes, name: attributes.name || (attributes.object as KubeObject).metadata.name || "" };
      return attributes.card.resource.endsWith("bindings") ? checkBinding(named) : checkRole(named);
    },
  });
}

function refuseUncovered({ authorizer, user, namespace, of, name, rules }: {
  authorizer: Authorizer; user: UserInfo; namespace: string; of: { group: string; resource: string }; name: string; rules: readonly Frozen<PolicyRule>[];
}): void {
  const missing = rules.flatMap((rule) => uncovered(authorizer, user, namespace, rule));
  if (missing.length === 0) return;
  const who = `user ${JSON.stringify(user.name)} (groups=[${user.groups.map((entry) => JSON.stringify(entry)).join(" ")}])`;
  throw forbidden(of, name, `${who} is attempting to grant RBAC permissions not currently held:\n${[...new Set(merged(missing).map(compact))].sort().join("\n")}`);
}

/** What of a rule the user does not hold, one verb on one thing each. A `*` is asked for literally: only a rule that itself has `*` answers yes to it. */
function uncovered(authorizer: Authorizer, user: UserInfo, namespace: string, rule: Frozen<PolicyRule>): PolicyRule[] {
  const missing: PolicyRule[] = [];
  for (const apiGroup of rule.apiGroups ?? []) {
    for (const entry of rule.resources ?? []) {
      const [resource = "", subresource = ""] = entry.split("/", 2);
      for (const verb of rule.verbs) {
        for (const name of rule.resourceNames?.length ? rule.resourceNames : [""]) {
          if (authorizer.authorize({ user, verb, group: apiGroup, version: "*", resource, subresource, namespace, name }).allowed) continue;
          missing.push({ apiGroups: [apiGroup], resources: [entry], verbs: [verb], ...(name ? { resourceNames: [name] } : {}) });
        }
      }
    }
  }
  for (const path of rule.nonResourceURLs ?? []) {
    for (const verb of rule.verbs) if (!authorizer.authorizePath({ user, verb, path }).allowed) missing.push({ nonResourceURLs: [path], verbs: [verb] });
  }
  return missing;
}

/** Verbs on the same resource, or object of it, together. */
function merged(rules: readonly PolicyRule[]): PolicyRule[] {
  const byTarget = new Map<string, PolicyRule>();
  for (const rule of rules) {
    const target = rule.nonResourceURLs ? JSON.stringify(rule) : JSON.stringify([rule.apiGroups, rule.resources, rule.resourceNames]);
    const known = byTarget.get(target);
    if (known) known.verbs.push(...rule.verbs.filter((verb) => !known.verbs.includes(verb)));
    else byTarget.set(target, rule);
  }
  return [...byTarget.values()];
}

function compact(rule: Frozen<PolicyRule>): string {
  const parts: [string, readonly string[] | undefined][] = [["APIGroups", rule.apiGroups], ["Resources", rule.resources], ["ResourceNames", rule.resourceNames], ["NonResourceURLs", rule.nonResourceURLs], ["Verbs", rule.verbs]];
  return `{${parts.filter(([, values]) => values?.length).map(([label, values]) => `${label}:[${values!.map((value) => JSON.stringify(value)).join(" ")}]`).join(", ")}}`;
}
