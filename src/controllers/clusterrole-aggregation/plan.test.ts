import { expect, test } from "bun:test";
import type { ClusterRole, PolicyRule } from "../../apis/generated/rbac/v1.ts";
import { aggregatedRules } from "./plan.ts";

const rule = (resource: string): PolicyRule => ({ apiGroups: [""], resources: [resource], verbs: ["get"] });
const role = (name: string, labels: Record<string, string>, ...resources: string[]): ClusterRole => ({ metadata: { name, labels }, rules: resources.map(rule) });
const all: ClusterRole = { metadata: { name: "all", labels: { a: "yes" } }, aggregationRule: { clusterRoleSelectors: [{ matchLabels: { b: "yes" } }, { matchLabels: { a: "yes" } }] }, rules: [rule("stale")] };

test.each([
  ["by selector, then by name", [role("z", { a: "yes" }, "pods"), role("y", { a: "yes" }, "secrets"), role("x", { b: "yes" }, "nodes")], ["nodes", "secrets", "pods"]],
  ["each once", [role("y", { a: "yes" }, "pods", "pods"), role("z", { a: "yes", b: "yes" }, "pods", "secrets")], ["pods", "secrets"]],
  ["not its own", [all], []],
  ["of none", [role("y", { c: "yes" }, "pods")], []],
] as const)("%s", (_, roles, expected) => expect(aggregatedRules(all, roles).map(({ resources }) => resources![0]!)).toEqual([...expected]));
