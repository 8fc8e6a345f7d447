import { describe, expect, test } from "bun:test";
import type { KubeObject } from "../../apimachinery/meta.ts";
import type { ObjectRecord } from "./addon.ts";
import { ManifestError, nameManifests, planAddOn, readManifests } from "./plan.ts";

const scopes: Record<string, boolean> = { ConfigMap: true, Secret: true, Namespace: false, CustomResourceDefinition: false };
const isNamespaced = ({ kind }: { kind: string }): boolean | undefined => scopes[kind];
const configMap = (name: string, namespace?: string): KubeObject => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, ...(namespace ? { namespace } : {}) } });
const record = (kind: string, name: string, more: Partial<ObjectRecord> = {}): ObjectRecord => ({ version: "v1", kind, name, ...(scopes[kind] ? { namespace: "default" } : {}), ...more });

describe("reading", () => {
  test("documents, Lists and empty documents", () => {
    const text = "---\n# nothing\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n- {apiVersion: v1, kind: Secret, metadata: {name: c}}\n";
    expect(readManifests(text).map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual(["ConfigMap a", "ConfigMap b", "Secret c"]);
  });

  test.each([
    ["a: [1", /yaml/],
    ["just a word", "a Kubernetes object is wanted, with apiVersion, kind and metadata"],
    ["kind: ConfigMap\nmetadata: {name: a}", "apiVersion not set"],
    ["a: 1\n---\nb: 2", "document 1: apiVersion and kind not set"],
    ["apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: a-}", "metadata.name of the ConfigMap not set (generateName can't be applied again)"],
    ["apiVersion: v1\nkind: List\nitems: [{kind: Pod}]", "item 1: apiVersion not set"],
    ["apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nmetadata: {name: b}", /already set/],
  ])("%p is refused", (text, message) => {
    expect(() => readManifests(text)).toThrow(ManifestError);
    expect(() => readManifests(text)).toThrow(message);
  });
});

test("namespaces and definitions are applied first, the rest as it stands; what has no namespace goes to default", () => {
  const objects: KubeObject[] = [configMap("z", "n"), { apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata: { name: "d" } }, configMap("a"), { apiVersion: "v1", kind: "Namespace", metadata: { name: "n" } }];
  expect(nameManifests(objects, isNamespaced).map((one) => one.record)).toEqual([
    { version: "v1", kind: "Namespace", name: "n" },
    { group: "apiextensions.k8s.io", version: "v1", kind: "CustomResourceDefinition", name: "d" },
    { version: "v1", kind: "ConfigMap", namespace: "n", name: "z" },
    { version: "v1", kind: "ConfigMap", namespace: "default", name: "a" },
  ]);
});

describe("the plan", () => {
  const plan = (objects: KubeObject[], known: ObjectRecord[]) => planAddOn(nameManifests(objects, isNamespaced), known, isNamespaced);

  test("what is new is written down without a uid, what is known keeps its uid", () => {
    expect(plan([configMap("a"), configMap("b")], [record("ConfigMap", "a", { uid: "1" })])).toEqual({ intended: [record("ConfigMap", "a", { uid: "1" }), record("ConfigMap", "b")], prune: [] });
  });

  test("what the file has no longer stays written down until it is pruned, last first", () => {
    const known = [record("ConfigMap", "a", { uid: "1" }), record("ConfigMap", "b", { uid: "2" }), record("Secret", "c", { uid: "3" })];
    expect(plan([configMap("a")], known)).toEqual({ intended: known, prune: [known[2]!, known[1]!] });
  });

  test("another version of a kind is the same object", () => {
    expect(plan([{ apiVersion: "autoscaling/v2", kind: "ConfigMap", metadata: { name: "a" } }], [record("ConfigMap", "a", { group: "autoscaling", version: "v1", uid: "1" })]).prune).toEqual([]);
  });

  test("a record made before the kind was served is the same object as the one without a namespace", () => {
    const namespace: KubeObject = { apiVersion: "v1", kind: "Namespace", metadata: { name: "n" } };
    expect(plan([namespace], [record("Namespace", "n", { namespace: "default" })])).toEqual({ intended: [record("Namespace", "n")], prune: [] });
  });

  test("the same object in another namespace is another", () => {
    expect(plan([configMap("a", "n")], [record("ConfigMap", "a", { uid: "1" })]).prune).toEqual([record("ConfigMap", "a", { uid: "1" })]);
  });
});
