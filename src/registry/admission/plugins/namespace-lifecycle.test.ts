import { expect, test } from "bun:test";
import { configmaps, localsubjectaccessreviews, namespaces, nodes } from "../../../apis/builtins.ts";
import { attributesOf, listersOf, run } from "../../testing/admission.ts";
import { namespaceLifecycle } from "./namespace-lifecycle.ts";

const plugin = namespaceLifecycle({
  listers: listersOf({
    namespaces: [
      { metadata: { name: "active" } },
      { metadata: { name: "going", deletionTimestamp: "2026-01-01T00:00:00Z" } },
    ],
  }),
});
const inNamespace = (namespace: string) => ({ metadata: { name: "x", namespace } });
const named = (name: string) => ({ namespace: name, name, oldObject: { metadata: { name } } });

test.each([
  ["create in an active namespace", attributesOf(configmaps, { object: inNamespace("active") }), ""],
  ["create in a missing one", attributesOf(configmaps, { object: inNamespace("nowhere") }), '404 namespaces "nowhere" not found'],
  ["create in one being deleted", attributesOf(configmaps, { object: inNamespace("going") }), '403 configmaps "x" is forbidden: unable to create new content in namespace going because it is being terminated'],
  ["update in one being deleted", attributesOf(configmaps, { operation: "UPDATE", object: inNamespace("going") }), ""],
  ["delete in one being deleted", attributesOf(configmaps, { operation: "DELETE", oldObject: inNamespace("going") }), ""],
  ["a review about one being deleted", attributesOf(localsubjectaccessreviews, { object: inNamespace("going") }), ""],
  ["create of a cluster-scoped object", attributesOf(nodes, { object: { metadata: { name: "n" } } }), ""],
  ["create of a namespace", attributesOf(namespaces, { namespace: "new", object: { metadata: { name: "new" } } }), ""],
  ["delete of a namespace", attributesOf(namespaces, { operation: "DELETE", ...named("active") }), ""],
  ["delete of default", attributesOf(namespaces, { operation: "DELETE", ...named("default") }), '403 namespaces "default" is forbidden: this namespace may not be deleted'],
  ["delete of kube-system", attributesOf(namespaces, { operation: "DELETE", ...named("kube-system") }), '403 namespaces "kube-system" is forbidden: this namespace may not be deleted'],
])("%s", async (_, attributes, expected) => {
  expect(await run(plugin, attributes)).toBe(expected);
});
