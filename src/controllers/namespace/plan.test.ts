import { expect, test } from "bun:test";
import { namespaceConditions, nextToDelete, type Content } from "./plan.ts";

const now = Date.parse("2026-01-01T12:00:00Z");
const content = (resource: string, ...finalizers: string[][]): Content => ({ resource, objects: finalizers.map((list) => ({ metadata: { finalizers: list } })) });

test("pods go first, then all the rest", () => {
  const all = [content("configmaps", []), content("pods", [], []), content("secrets")];
  expect(nextToDelete(all).map((c) => c.resource)).toEqual(["pods"]);
  expect(nextToDelete([all[0]!, content("pods"), all[2]!]).map((c) => c.resource)).toEqual(["configmaps"]);
  expect(nextToDelete([content("pods")])).toEqual([]);
});

test("conditions say what is waited for, and keep their times", () => {
  const namespace = { metadata: { name: "n" }, spec: {}, status: {} };
  const conditions = namespaceConditions(namespace, [content("pods", ["a", "b"], ["a"]), content("deployments.apps")], "no", now);
  expect(conditions.map((c) => `${c.type}=${c.status} ${c.message}`)).toEqual([
    "NamespaceDeletionDiscoveryFailure=False All resources successfully discovered",
    "NamespaceDeletionGroupVersionParsingFailure=False All legacy kube types successfully parsed",
    "NamespaceDeletionContentFailure=True no",
    "NamespaceContentRemaining=True Some resources are remaining: pods has 2 resource instances",
    "NamespaceFinalizersRemaining=True Some content in the namespace has finalizers remaining: a in 2 resource instances, b in 1 resource instances",
  ]);
  const later = namespaceConditions({ ...namespace, status: { conditions } }, [], undefined, now + 1000);
  expect(later.map((c) => [c.status, c.lastTransitionTime!])).toEqual([
    ["False", "2026-01-01T12:00:00Z"], ["False", "2026-01-01T12:00:00Z"], ["False", "2026-01-01T12:00:01Z"], ["False", "2026-01-01T12:00:01Z"], ["False", "2026-01-01T12:00:01Z"],
  ]);
});
