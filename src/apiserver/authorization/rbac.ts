import type { Frozen } from "../../apimachinery/meta.ts";
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding } from "../../apis/generated/rbac/v1.ts";
import type { Informer } from "../../client/informer.ts";
import type { Authorizer, UserInfo } from "../../registry/attributes.ts";
import { bindingIndex } from "./binding-index.ts";
import { ruleAllows, ruleAllowsPath } from "./rbac-rules.ts";

export interface RbacInformers {
  roles: Informer<Role>;
  clusterRoles: Informer<ClusterRole>;
  roleBindings: Informer<RoleBinding>;
  clusterRoleBindings: Informer<ClusterRoleBinding>;
}

export interface RbacAuthorizer extends Authorizer {
  /** All rules that hold for a user in a namespace, and what kept others from being found. */
  rulesFor(user: UserInfo, namespace: string): { rules: readonly Frozen<PolicyRule>[]; errors: readonly string[] };
}

/** Roles and bindings of the API decide; a role that is missing is named in the reason. */
export function rbacAuthorizer(informers: RbacInformers): RbacAuthorizer {
  const bindings = bindingIndex(informers);

  /** Calls `visit` with each rule until it returns true; returns the errors met on the way. */
  function visitRules(user: UserInfo, namespace: string, visit: (rule: Frozen<PolicyRule>) => boolean): { found: boolean; errors: string[] } {
    const errors: string[] = [];
    for (const bound of bindings.roleRefs(user, namespace)) {
      const { kind, name } = bound.roleRef;
      const role = kind === "ClusterRole" ? informers.clusterRoles.lister.get(name) : informers.roles.lister.get(`${bound.namespace}/${name}`);
      if (!role) errors.push(`${kind === "ClusterRole" ? "clusterrole" : "role"}.rbac.authorization.k8s.io ${JSON.stringify(name)} not found`);
      for (const rule of role?.rules ?? []) if (visit(rule)) return { found: true, errors };
    }
    return { found: false, errors };
  }

  function decide(user: UserInfo, namespace: string, allows: (rule: Frozen<PolicyRule>) => boolean): { allowed: boolean; reason: string } {
    const { found, errors } = visitRules(user, namespace, allows);
    if (found) return { allowed: true, reason: "" };
    return { allowed: false, reason: errors.length === 0 ? "" : `RBAC: ${errors.length === 1 ? errors[0] : `[${[...new Set(errors)].join(", ")}]`}` };
  }

  return {
    authorize: (attributes) => decide(attributes.user, attributes.namespace, (rule) => ruleAllows(rule, attributes)),
    authorizePath: (attributes) => decide(attributes.user, "", (rule) => ruleAllowsPath(rule, attributes)),
    rulesFor(user, namespace) {
      const rules: Frozen<PolicyRule>[] = [];
      const { errors } = visitRules(user, namespace, (rule) => {
        rules.push(rule);
        return false;
      });
      return { rules, errors };
    },
  };
}
