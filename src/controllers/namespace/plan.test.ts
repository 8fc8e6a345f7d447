import { describe, expect, test } from "bun:test";
import { namespaceConditions, nextToDelete, podsOverdueAt, type Content } from "./plan.ts";

const now = Date.parse("2026-01-01T12:00:00Z");
const namespace = { metadata: { name: "n", deletionTimestamp: "2026-01-01T11:59:50Z" }, spec: {}, status: {} };
const content = (name: string, ...finalizers: string[][]): Content => {
  const [resource = "", group = ""] = name.split(".");
  return { resource, group, objects: finalizers.map((list) => ({ metadata: { finalizers: list } })) };
};
const deleting = (name: string, finalizers: string[] = []): Content => ({ ...content(name), objects: [{ metadata: { deletionTimestamp: "2026-01-01T11:59:50Z", finalizers } }] });

describe("what is deleted next", () => {
  test.each<[string, Content[], string[]]>([
    ["pods first", [content("configmaps", []), content("pods", [], []), content("secrets")], ["pods"]],
    ["then all the rest", [content("configmaps", []), content("pods"), content("deployments.apps", [])], ["configmaps", "deployments"]],
    ["nothing where nothing is", [content("pods")], []],
    ["nothing twice", [deleting("configmaps", ["example.com/wait"]), content("secrets", [])], ["secrets"]],
    ["nothing else while pods go", [content("configmaps", []), deleting("pods")], []],
    ["pods of a metrics API are no pods", [content("pods.metrics", []), content("configmaps", [])], ["pods", "configmaps"]],
    ["what waits for its dependents need not", [deleting("replicasets.apps", ["foregroundDeletion"])], ["replicasets"]],
  ])("%s", (_, contents, expected) => expect(nextToDelete(contents).map(({ resource }) => resource)).toEqual(expected));
});

test("conditions say what is waited for, and keep their times", () => {
  const left = [content("pods", ["a", "b"], ["a"]), content("deployments.apps"), content("replicasets.apps", [])];
  const conditions = namespaceConditions(namespace, { left, failures: ["no", "but"], undiscovered: ["b.io/v1", "a.io/v1beta1"] }, now);
  expect(conditions.map((c) => `${c.type}=${c.status} ${c.reason}: ${c.message}`)).toEqual([
    "NamespaceDeletionDiscoveryFailure=True DiscoveryFailed: Discovery failed for some groups, 2 failing: unable to retrieve the complete list of server APIs: a.io/v1beta1: stale GroupVersion discovery: a.io/v1beta1, b.io/v1: stale GroupVersion discovery: b.io/v1",
    "NamespaceDeletionGroupVersionParsingFailure=False ParsedGroupVersions: All legacy kube types successfully parsed",
    "NamespaceDeletionContentFailure=True ContentDeletionFailed: Failed to delete all resource types, 2 remaining: but, no",
    "NamespaceContentRemaining=True SomeResourcesRemain: Some resources are remaining: pods. has 2 resource instances, replicasets.apps has 1 resource instances",
    "NamespaceFinalizersRemaining=True SomeFinalizersRemain: Some content in the namespace has finalizers remaining: a in 2 resource instances, b in 1 resource instances",
  ]);
  const later = namespaceConditions({ ...namespace, status: { conditions } }, { left: [], undiscovered: ["b.io/v1"] }, now + 1000);
  expect(later.map((c) => `${c.status} ${c.reason} ${c.lastTransitionTime?.slice(17, 19)}`)).toEqual([
    "True DiscoveryFailed 00", "False ParsedGroupVersions 00", "False ContentDeleted 01", "False ContentRemoved 01", "False ContentHasNoFinalizers 01",
  ]);
});

test("pods are overdue when the longest grace has passed, unless finalizers keep them", () => {
  const pods = (...list: [grace: number, phase: string, finalizers?: string[]][]): Content[] =>
    [{ group: "", resource: "pods", objects: list.map(([terminationGracePeriodSeconds, phase, finalizers]) => ({ metadata: { finalizers }, spec: { terminationGracePeriodSeconds }, status: { phase } }) as never) }];
  expect(podsOverdueAt(namespace, pods([30, "Running"], [5, "Running"], [90, "Failed"]))).toBe(now + 20_000);
  expect(podsOverdueAt(namespace, pods([30, "Running"], [5, "Running", ["x"]]))).toBeUndefined();
  expect(podsOverdueAt(namespace, pods())).toBeUndefined();
});
