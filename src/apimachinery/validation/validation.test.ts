import { describe, expect, test } from "bun:test";
import { render } from "../field-errors.ts";
import type { ObjectMeta } from "../meta.ts";
import { validateLabelSelector } from "./label-selector.ts";
import * as names from "./names.ts";
import { validateImmutableField, validateObjectMeta, validateObjectMetaUpdate } from "./object-meta.ts";
import * as values from "./values.ts";

describe("names and values", () => {
  const rules: [name: string, rule: (value: never) => string[], good: unknown[], bad: unknown[]][] = [
    ["DNS label", names.dns1123LabelErrors, ["a", "0", "a-b", "a".repeat(63)], ["", "A", "-a", "a-", "a.b", "a_b", "a".repeat(64), "ä"]],
    ["DNS subdomain", names.dns1123SubdomainErrors, ["a", "a.b", "1.2-3.x"], ["", ".a", "a.", "a..b", "a.-b", "A", "a".repeat(254)]],
    ["DNS-1035 label", names.dns1035LabelErrors, ["a", "a-1"], ["1a", "a.b", "", "A"]],
    ["label value", names.labelValueErrors, ["", "a", "A_b.c-1"], ["-a", "a-", "a b", "a/b", "x".repeat(64)]],
    ["qualified name", names.qualifiedNameErrors, ["a", "A.b_c-d", "example.com/x", "kubernetes.io/a.b"], ["", "/x", "x/", "a/b/c", "Ex.com/x", "-a", "x".repeat(64), "a b"]],
    ["path segment", names.pathSegmentErrors, ["system:node", "a b", "..."], [".", "..", "a/b", "a%b"]],
    ["port", values.portNumberErrors, [1, 80, 65535], [0, 65536, -1, 1.5]],
    ["port name", values.portNameErrors, ["http", "a-1", "x".repeat(15)], ["", "80", "a--b", "-a", "a-", "A", "x".repeat(16)]],
    ["environment variable", values.envVarNameErrors, ["A", "a.b-c", "1x", "with space"], ["", "A=B", "ä", "a\n"]],
    ["config key", values.configMapKeyErrors, ["a", "a.b_c-D", ".x"], ["", ".", "..", "..x", "a/b", "a b"]],
    ["percent", values.percentErrors, ["0%", "150%"], ["5", "%", "-1%", "1.5%"]],
    ["wildcard domain", values.wildcardDomainErrors, ["*.example.com"], ["example.com", "*", "*.", "*.*.com", "*a.com"]],
  ];
  for (const [name, rule, good, bad] of rules) {
    test(name, () => {
      for (const value of good) expect([value, rule(value as never)]).toEqual([value, []]);
      for (const value of bad) expect([value, rule(value as never).length > 0]).toEqual([value, true]);
    });
  }
  test("messages are Kubernetes' own", () => {
    expect(names.dns1123SubdomainErrors("A_b")).toEqual(["a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"]);
    expect(names.dns1123LabelErrors("A")).toEqual(["a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"]);
  });
  test("a generateName may end with a dash", () => {
    expect(names.nameIsDns1123Subdomain("web-", true)).toEqual([]);
    expect(names.nameIsDns1123Subdomain("web-", false)).not.toEqual([]);
    expect(names.nameIsDns1123Subdomain("We-", true)).not.toEqual([]);
  });
});

const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "a", uid: "1", controller: true };

describe("ObjectMeta", () => {
  const valid: ObjectMeta = { name: "a", namespace: "default", labels: { app: "web" }, annotations: { "Example.com/X": "anything\n" }, finalizers: ["example.com/f", "orphan"], ownerReferences: [owner] };
  const cases: [name: string, change: ObjectMeta, errors: string[]][] = [
    ["all right", {}, []],
    ["no name", { name: "" }, ["metadata.name: Required value: name or generateName is required"]],
    ["a bad name", { name: "A" }, [`metadata.name: Invalid value: "A": ${names.dns1123SubdomainErrors("A")[0]}`]],
    ["a bad generateName", { generateName: "B-x-" }, [`metadata.generateName: Invalid value: "B-x-": ${names.dns1123SubdomainErrors("B")[0]}`]],
    ["no namespace", { namespace: undefined }, ["metadata.namespace: Required value"]],
    ["a bad namespace", { namespace: "a.b" }, [`metadata.namespace: Invalid value: "a.b": ${names.dns1123LabelErrors("a.b")[0]}`]],
    ["a bad label", { labels: { "a b": "-" } }, [`metadata.labels: Invalid value: "a b": ${names.qualifiedNameErrors("a b")[0]}`, `metadata.labels: Invalid value: "-": ${names.labelValueErrors("-")[0]}`]],
    ["large annotations", { annotations: { a: "x".repeat(262_144) } }, ["metadata.annotations: Too long: may not be more than 262144 bytes"]],
    ["an owner with nothing", { ownerReferences: [{ apiVersion: "", kind: "", name: "", uid: "" }] }, [
      'metadata.ownerReferences.apiVersion: Invalid value: "": version must not be empty', 'metadata.ownerReferences.kind: Invalid value: "": must not be empty',
      'metadata.ownerReferences.name: Invalid value: "": must not be empty', 'metadata.ownerReferences.uid: Invalid value: "": must not be empty']],
    ["finalizers at odds", { finalizers: ["orphan", "foregroundDeletion"] }, ['metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set']],
    ["a finalizer of nobody", { finalizers: ["mine"] }, ['metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified']],
  ];
  for (const [name, change, errors] of cases) {
    test(name, () => expect(validateObjectMeta({ ...valid, ...change }, { namespaced: true }).map(render)).toEqual(errors));
  }
  test("two controllers", () => {
    const [error] = validateObjectMeta({ ...valid, ownerReferences: [owner, { ...owner, name: "b", uid: "2" }] }, { namespaced: true });
    expect(error!.message).toContain('Only one reference can have Controller set to true. Found "true" in references for ReplicaSet/a and ReplicaSet/b');
  });
  test("cluster scope", () => {
    expect(validateObjectMeta({ name: "a" }, { namespaced: false })).toEqual([]);
    expect(validateObjectMeta(valid, { namespaced: false }).map(render)).toEqual(["metadata.namespace: Forbidden: not allowed on this type"]);
  });
  test("a kind's own rule", () => expect(validateObjectMeta({ name: "system:x" }, { namespaced: false, validateName: names.nameIsPathSegment })).toEqual([]));

  const updates: [name: string, change: ObjectMeta, old: ObjectMeta, fields: string[]][] = [
    ["labels may change", { labels: { x: "y" } }, {}, []],
    ["identity may not", { name: "b", namespace: "other", uid: "2" }, { uid: "1" }, ["metadata.name", "metadata.namespace", "metadata.uid"]],
    ["generation may not fall", { generation: 1 }, { generation: 2 }, ["metadata.generation"]],
    ["no new finalizers while deleting", { deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: ["example.com/a", "example.com/b"] }, { deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: ["example.com/a"] }, ["metadata.finalizers"]],
    ["finalizers may go while deleting", { deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: [] }, { deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: ["example.com/a"] }, []],
  ];
  for (const [name, change, old, fields] of updates) {
    test(name, () => expect(validateObjectMetaUpdate({ ...valid, ...change }, { ...valid, ...old }).map((error) => error.field)).toEqual(fields));
  }
});

test("label selectors", () => {
  const errors = validateLabelSelector({
    matchLabels: { "a b": "x" },
    matchExpressions: [{ key: "a", operator: "In" }, { key: "b", operator: "Exists", values: ["x"] }, { key: "-", operator: "Near" }, { key: "c", operator: "NotIn", values: ["ok", "n o"] }],
  }, "spec.selector");
  expect(errors.map((error) => error.field)).toEqual([
    "spec.selector.matchLabels", "spec.selector.matchExpressions[0].values", "spec.selector.matchExpressions[1].values",
    "spec.selector.matchExpressions[2].operator", "spec.selector.matchExpressions[2].key", "spec.selector.matchExpressions[3].values[1]",
  ]);
  expect(validateLabelSelector(undefined, "spec.selector")).toEqual([]);
});

test("immutable", () => {
  expect(validateImmutableField({ a: [1], b: [] }, { a: [1] }, "spec.x")).toEqual([]);
  expect(validateImmutableField("b", "a", "spec.x").map(render)).toEqual(['spec.x: Invalid value: "b": field is immutable']);
});
