import { expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { clusterrolebindings } from "./clusterrolebinding.ts";
import { clusterroles } from "./clusterrole.ts";
import { rolebindings } from "./rolebinding.ts";
import { roles } from "./role.ts";

const group = "rbac.authorization.k8s.io";
const roleRef = { apiGroup: group, kind: "ClusterRole", name: "view" };

test.each([
  ["a rule without verbs", roles, { rules: [{ apiGroups: [""], resources: ["pods"] }] }, ["rules[0].verbs: Required value: verbs must contain at least one value"]],
  ["a rule about nothing", roles, { rules: [{ verbs: ["get"] }] }, ["rules[0].apiGroups: Required value: resource rules must supply at least one api group", "rules[0].resources: Required value: resource rules must supply at least one resource"]],
  ["paths in a namespace", roles, { rules: [{ verbs: ["get"], nonResourceURLs: ["/metrics"] }] }, ["rules[0].nonResourceURLs: Invalid value: [\"/metrics\"]: namespaced rules cannot apply to non-resource URLs"]],
  ["paths of the cluster", clusterroles, { rules: [{ verbs: ["get"], nonResourceURLs: ["/metrics"] }] }, []],
  ["paths and resources", clusterroles, { rules: [{ verbs: ["get"], nonResourceURLs: ["/metrics"], resources: ["pods"] }] }, ["rules[0].nonResourceURLs: Invalid value: [\"/metrics\"]: rules cannot apply to both regular resources and non-resource URLs"]],
  ["an aggregate of nothing", clusterroles, { aggregationRule: {} }, ["aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil"]],
  ["a role of the namespace, for the cluster", clusterrolebindings, { roleRef: { ...roleRef, kind: "Role" } }, ["roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\""]],
  ["no role", rolebindings, {}, ["roleRef.kind: Unsupported value: \"\": supported values: \"Role\", \"ClusterRole\"", "roleRef.name: Required value"]],
  ["users and groups get their API group", rolebindings, { roleRef, subjects: [{ kind: "User", name: "jane" }, { kind: "Group", name: "ops" }, { kind: "ServiceAccount", name: "robot" }] }, []],
  ["a service account of no namespace", clusterrolebindings, { roleRef, subjects: [{ kind: "ServiceAccount", name: "robot" }] }, ["subjects[0].namespace: Required value"]],
  ["an unknown subject", rolebindings, { roleRef, subjects: [{ kind: "Robot", name: "x" }] }, ["subjects[0].kind: Unsupported value: \"Robot\": supported values: \"ServiceAccount\", \"User\", \"Group\""]],
] as [string, AnyResource, object, string[]][])("%s", (_, card, fields, expected) => {
  const object = { metadata: { name: "x" }, ...structuredClone(fields) };
  card.default?.(object);
  expect(card.strategy.validate!(object).map(render)).toEqual(expected);
});

test("a binding's role stays", () => {
  const old = { metadata: {}, roleRef };
  expect(rolebindings.strategy.validateUpdate!({ metadata: {}, roleRef: { ...roleRef, name: "edit" } }, old).map(render)).toEqual([`roleRef: Invalid value: {"APIGroup":"${group}","Kind":"ClusterRole","Name":"edit"}: cannot change roleRef`]);
});

test("names may be anything that fits a path", () => {
  expect(roles.validateName!("system:Node:reader", false)).toEqual([]);
  expect(roles.validateName!("a/b", false)).toHaveLength(1);
});

test("columns", () => {
  const binding = { metadata: { name: "b", creationTimestamp: "2026-01-01T00:00:00Z" }, roleRef, subjects: [{ kind: "User", name: "jane" }, { kind: "User", name: "joe" }, { kind: "ServiceAccount", name: "robot", namespace: "ci" }] };
  expect(rolebindings.columns.map((column) => column.value(binding, Date.parse("2026-01-02T00:00:00Z")))).toEqual(["b", "ClusterRole/view", "24h", "jane, joe", "", "ci/robot"]);
  expect(roles.columns.map((column) => column.value({ ...binding, rules: [] }, 0))).toEqual(["b", "2026-01-01T00:00:00Z"]);
});
