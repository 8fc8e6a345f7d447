import { expect, test } from "bun:test";
import { clusterroles, rolebindings, roles } from "../../../apis/builtins.ts";
import type { PolicyRule, Role, RoleBinding } from "../../../apis/generated/rbac/v1.ts";
import type { Authorizer, ResourceAttributes } from "../../attributes.ts";
import { attributesOf, listersOf, run } from "../../testing/admission.ts";
import { rbacEscalation } from "./rbac-escalation.ts";

/** Allows what is listed as `verb group/resource namespace`. */
const authorizerOf = (...allowed: string[]): Authorizer => ({
  authorize: ({ verb, group, resource, namespace }: ResourceAttributes) => ({ allowed: allowed.includes(`${verb} ${group}/${resource} ${namespace}`), reason: "" }),
  authorizePath: () => ({ allowed: false, reason: "" }),
});
const bob = { user: { name: "bob", groups: ["devs"] }, warn: () => undefined };
const listers = listersOf({ clusterroles: [{ metadata: { name: "reader" }, rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] } as never] });
const role = (...rules: PolicyRule[]): Role => ({ metadata: { name: "r", namespace: "ns" }, rules });
const getPods: PolicyRule = { apiGroups: [""], resources: ["pods"], verbs: ["get"] };
const everything: PolicyRule = { apiGroups: ["*"], resources: ["*"], verbs: ["*"] };
const binding = (name: string): RoleBinding => ({ metadata: { name: "b", namespace: "ns" }, subjects: [], roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name } });
const rbac = "rbac.authorization.k8s.io";

test.each([
  ["a role of what one holds", roles, { object: role(getPods) }, ["get /pods ns"], ""],
  ["a role of more", roles, { object: role(getPods) }, [], `roles.${rbac} "r" is forbidden: user "bob" (groups=["devs"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`],
  ["a role of everything", roles, { object: role(everything) }, ["get /pods ns"], `{APIGroups:["*"], Resources:["*"], Verbs:["*"]}`],
  ["a role of more, being allowed to escalate", roles, { object: role(everything) }, [`escalate ${rbac}/roles ns`], ""],
  ["a role whose rules stay", roles, { operation: "UPDATE", object: role(everything), oldObject: role(everything) }, [], ""],
  ["a cluster role, with rights in one namespace", clusterroles, { object: { metadata: { name: "c" }, rules: [getPods] } }, ["get /pods ns"], "not currently held"],
  ["a binding of what one holds", rolebindings, { object: binding("reader") }, ["get /pods ns"], ""],
  ["a binding of more", rolebindings, { object: binding("reader") }, [], "not currently held"],
  ["a binding of more, being allowed to bind", rolebindings, { object: binding("reader") }, [`bind ${rbac}/clusterroles ns`], ""],
  ["a binding to nothing", rolebindings, { object: binding("none") }, [], `rolebindings.${rbac} "none" not found`],
] as const)("%s", async (_, card, rest, allowed, expected) => {
  const plugin = rbacEscalation({ listers, authorizer: authorizerOf(...allowed) });
  const refusal = await run(plugin, attributesOf(card, { ...rest, context: bob } as never));
  if (expected === "") expect(refusal).toBe("");
  else expect(refusal).toContain(expected);
});
