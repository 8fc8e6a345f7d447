import { describe, expect, test } from "bun:test";
import type { MergeType } from "../../../apimachinery/managedfields/merge-type.ts";
import { compileFor } from "../../../cel/admission/compile.ts";
import { admissionEnvironment } from "../../../cel/admission/environment.ts";
import { applyConfiguration } from "./apply-configuration.ts";

const scalar: MergeType = { kind: "scalar" };
const undeclared = { declares: () => false };
const map = (fields: Record<string, MergeType>, relationship: "granular" | "atomic" = "granular"): MergeType => ({ ...undeclared, kind: "map", relationship, field: (name) => fields[name] });
const labels: MergeType = { ...undeclared, kind: "map", relationship: "granular", field: () => scalar };
const type = map({
  metadata: map({ labels }), set: { kind: "list", relationship: "set", keys: [], item: scalar }, atomic: { kind: "list", relationship: "atomic", keys: [], item: scalar }, whole: map({ a: scalar }, "atomic"),
  ports: { kind: "list", relationship: "map", keys: [{ name: "port" }, { name: "protocol", default: "TCP" }], item: map({ port: scalar, protocol: scalar, name: scalar }) }, any: { kind: "untyped" }, n: scalar,
});

function apply(object: unknown, expression: string): unknown {
  const { program, failure } = compileFor("applyConfiguration", expression, admissionEnvironment({ params: false, authorizer: false, patchTypes: true }));
  if (failure) throw new Error(failure.detail);
  const { value, error } = program.evaluate({});
  if (error !== undefined) throw new Error(error);
  return applyConfiguration(object, value, type);
}

describe("merging", () => {
  test.each([
    [{ n: 1 }, "Object{n: 2}", { n: 2 }],
    [{ metadata: { labels: { a: "1" } } }, "Object{metadata: Object.metadata{labels: {'b': '2'}}}", { metadata: { labels: { a: "1", b: "2" } } }],
    [{}, "Object{metadata: Object.metadata{labels: {'__proto__': '2'}}}", JSON.parse('{"metadata":{"labels":{"__proto__":"2"}}}')],
    [{ set: ["a", "b"] }, "Object{set: ['b', 'c']}", { set: ["a", "b", "c"] }],
    [{ ports: [{ port: 1, name: "x" }, { port: 2, protocol: "UDP" }] }, "Object{ports: [Object.ports{port: 1, protocol: 'TCP', name: 'y'}, Object.ports{port: 2}]}", { ports: [{ port: 1, protocol: "TCP", name: "y" }, { port: 2, protocol: "UDP" }, { port: 2 }] }],
    [{ any: { a: { b: 1 }, l: [1] } }, "Object{any: Object.any{a: {'c': 2}, l: [2]}}", { any: { a: { b: 1, c: 2 }, l: [2] } }],
    [{}, "Object{?n: optional.none()}", {}],
  ])("%p + %s", (object, expression, merged) => {
    expect(apply(object, expression)).toEqual(merged);
  });

  test.each([
    ["Object{atomic: ['a']}", "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .atomic"],
    ["Object{whole: Object.whole{a: 1}, atomic: []}", "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .whole, .atomic"],
    ["Object{ports: [Object.ports{port: 1, nope: 1}]}", 'error applying patch: failed to convert patch object to typed object: .ports[port=1,protocol="TCP"].nope: field not declared in schema'],
    ["Object{nope: 1, whole: 2}", "error applying patch: failed to convert patch object to typed object: errors:\n  .nope: field not declared in schema\n  .whole: expected map, got &{2}"],
    ["Object{metadata: Object.spec{}}", 'type mismatch: unexpected type name "Object.spec", expected "Object.metadata", which matches field name path from root Object type'],
  ])("refuses %s", (expression, message) => {
    expect(() => apply({}, expression)).toThrow(message);
  });
});
