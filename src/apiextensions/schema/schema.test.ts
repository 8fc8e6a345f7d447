import { describe, expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import { Correlation } from "./correlation.ts";
import { defaulted } from "./defaulting.ts";
import { validateListTypes } from "./list-type.ts";
import { coerced, validateEmbedded } from "./metadata.ts";
import { resourceMergeType } from "./merge-type.ts";
import { pruned, UnknownFields } from "./pruning.ts";
import { asResource, withoutProse, type Schema } from "./schema.ts";

const object = (properties: Record<string, Schema>, more: Partial<Schema> = {}): Schema => ({ type: "object", properties, ...more }) as Schema;
const text: Schema = { type: "string" }, number: Schema = { type: "integer" };

describe("pruning", () => {
  const open: Schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  const table: [name: string, schema: Schema, value: object, expected: object, unknown: string[]][] = [
    ["keeps what is specified", object({ a: text }), { a: "x" }, { a: "x" }, []],
    ["drops what is not", object({ a: text }), { a: "x", b: 1 }, { a: "x" }, ["b"]],
    ["goes into lists", object({ l: { type: "array", items: object({ a: text }) } }), { l: [{ a: "x", b: 1 }, { c: 2 }] }, { l: [{ a: "x" }, {}] }, ["l[0].b", "l[1].c"]],
    ["goes into maps", object({ m: { type: "object", additionalProperties: object({ a: text }) } }), { m: { k: { a: "x", b: 1 } } }, { m: { k: { a: "x" } } }, ["m.k.b"]],
    ["keeps everything below a field that preserves", object({ o: open }), { o: { any: { thing: 1 } } }, { o: { any: { thing: 1 } } }, []],
    ["prunes what is specified inside of what preserves", object({ o: { ...open, properties: { in: object({ a: text }) } } }), { o: { x: 1, in: { a: "x", b: 1 } } }, { o: { x: 1, in: { a: "x" } } }, ["o.in.b"]],
    ["leaves metadata of resources", asResource(object({})), { apiVersion: "v1", kind: "K", metadata: { name: "n" }, x: 1 }, { apiVersion: "v1", kind: "K", metadata: { name: "n" } }, ["x"]],
    ["takes names of Object.prototype for what they are", object({}), JSON.parse('{"constructor":1,"__proto__":2}') as object, {}, ["constructor", "__proto__"]],
  ];
  for (const [name, schema, value, expected, found] of table) {
    test(name, () => {
      const unknown = new UnknownFields(), copy = structuredClone(value);
      expect(pruned(value, schema, unknown)).toEqual(expected);
      expect(unknown.found).toEqual(found);
      expect(value).toEqual(copy);
    });
  }
  test("gives back the very value when nothing has to go", () => {
    const value = { a: [{ b: "x" }] };
    expect(pruned(value, object({ a: { type: "array", items: object({ b: text }) } }))).toBe(value);
  });
});

describe("defaulting", () => {
  const table: [name: string, schema: Schema, value: object, expected: object][] = [
    ["fills in", object({ a: { ...number, default: 1 } }), {}, { a: 1 }],
    ["keeps what is given", object({ a: { ...number, default: 1 } }), { a: 0 }, { a: 0 }],
    ["does not make objects to fill in", object({ o: object({ a: { ...number, default: 1 } }) }), {}, {}],
    ["goes on inside of what it fills in", object({ o: { ...object({ a: { ...number, default: 1 } }), default: {} } }), {}, { o: { a: 1 } }],
    ["fills in items and values", object({ l: { type: "array", items: object({ a: { ...number, default: 1 } }) }, m: { type: "object", additionalProperties: object({ a: { ...number, default: 2 } }) } }), { l: [{}], m: { k: {} } }, { l: [{ a: 1 }], m: { k: { a: 2 } } }],
    ["drops a null that may not be", object({ a: text }), { a: null }, {}],
    ["puts the default in the place of such a null", object({ a: { ...text, default: "x" } }), { a: null }, { a: "x" }],
    ["keeps a null that may be", object({ a: { ...text, nullable: true, default: "x" } }), { a: null }, { a: null }],
  ];
  for (const [name, schema, value, expected] of table) {
    test(name, () => {
      const copy = structuredClone(value);
      expect(defaulted(value, schema)).toEqual(expected);
      expect(value).toEqual(copy);
    });
  }
  test("gives back the very value when nothing is missing, and never the schema's own default", () => {
    const value = { a: 1 }, schema = object({ a: { ...number, default: 2 }, l: { type: "array", items: text, default: ["x"] } });
    expect(defaulted({ ...value, l: [] }, schema)).toEqual({ a: 1, l: [] });
    const filled = defaulted(value, schema) as { l?: string[] };
    filled.l!.push("y");
    expect(defaulted(value, schema)).toEqual({ a: 1, l: ["x"] } as never);
    const complete = { a: 1, l: ["z"] };
    expect(defaulted(complete, schema)).toBe(complete);
  });
});

describe("metadata", () => {
  const embedded = object({ e: { type: "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true } });
  test("of the root and of embedded resources is read as ObjectMeta", () => {
    const unknown: string[] = [];
    const value = { metadata: { name: "x", bogus: 1, creationTimestamp: null }, e: { apiVersion: "v1", kind: "Pod", metadata: { labels: { a: "b" }, more: 2 }, rest: 3 } };
    expect(coerced(value, asResource(embedded), { unknown })).toEqual({ metadata: { name: "x" }, e: { apiVersion: "v1", kind: "Pod", metadata: { labels: { a: "b" } }, rest: 3 } } as never);
    expect(unknown).toEqual(["metadata.bogus", "e.metadata.more"]);
  });
  test("that is none is an error, or left out of what is stored", () => {
    const value = { metadata: { name: 5, labels: { a: "b" } } };
    expect(() => coerced(value, asResource(object({})))).toThrow("json: cannot unmarshal number into Go struct field ObjectMeta.name of type string");
    expect(coerced(value, asResource(object({})), { dropInvalid: true })).toEqual({ metadata: { labels: { a: "b" } } } as never);
    expect(() => coerced({ e: { apiVersion: 5, kind: "P" } }, embedded)).toThrow("e.apiVersion: Invalid value: 5: must be a string");
  });
  test("of embedded resources is validated", () => {
    expect(validateEmbedded({ e: { kind: "Po d", apiVersion: "a/b/c", metadata: { name: "a/b" } } }, embedded).map(render)).toEqual([
      "e.apiVersion: Invalid value: \"a/b/c\": unexpected GroupVersion string: a/b/c",
      expect.stringMatching(/^e\.kind: Invalid value: "Po d": may have mixed case, but should otherwise match: a DNS-1035 label/) as never,
      "e.metadata.name: Invalid value: \"a/b\": may not contain '/'",
    ]);
    expect(validateEmbedded({ e: {} }, embedded).map(render)).toEqual(["e.apiVersion: Required value", "e.kind: Required value"]);
  });
});

describe("lists", () => {
  const list = (type: string, items: Schema, keys?: string[]): Schema => object({ l: { type: "array", "x-kubernetes-list-type": type, ...(keys ? { "x-kubernetes-list-map-keys": keys } : {}), items } as Schema });
  const table: [name: string, schema: Schema, value: unknown[], expected: string[]][] = [
    ["sets hold no value twice; the first repetition is named", list("set", text), ["a", "b", "a", "a", "b"], ["l[2]: Duplicate value: \"a\"", "l[4]: Duplicate value: \"b\""]],
    ["sets compare objects whatever the order of their fields", list("set", object({})), [{ a: 1, b: 2 }, { b: 2, a: 1 }], ["l[1]: Duplicate value: {\"b\":2,\"a\":1}"]],
    ["maps hold no key twice", list("map", object({}), ["k"]), [{ k: "a", v: 1 }, { k: "a", v: 2 }], ["l[1]: Duplicate value: {\"k\":\"a\"}"]],
    ["maps know several keys, and their absence", list("map", object({}), ["k", "p"]), [{ k: "a" }, { k: "a", p: 1 }, { k: "a" }], ["l[2]: Duplicate value: {\"k\":\"a\"}"]],
    ["maps hold objects", list("map", object({}), ["k"]), [1], ["l[0]: Invalid value: 1: must be an object for an array of list-type map"]],
    ["atomic lists hold anything", list("atomic", text), ["a", "a"], []],
  ];
  for (const [name, schema, value, expected] of table) test(name, () => expect(validateListTypes({ l: value }, schema).map(render)).toEqual(expected));

  test("items of maps are told from before by their keys, of others not", () => {
    const schema = list("map", object({ k: text, v: number }), ["k"]);
    const correlation = new Correlation({ l: [{ k: "b", v: 1 }, { k: "a", v: 2 }, { k: "new" }] }, { l: [{ k: "a", v: 2 }, { k: "b", v: 0 }] }, schema).key("l")!;
    expect([0, 1, 2].map((i) => correlation.index(i)?.old)).toEqual([{ k: "b", v: 0 }, { k: "a", v: 2 }, undefined]);
    expect([0, 1].map((i) => correlation.index(i)?.equal)).toEqual([false, true]);
    expect(new Correlation(["a"], ["a"], { type: "array", items: text }).index(0)).toBeUndefined();
  });
});

test("what server-side apply goes by comes from the extensions", () => {
  const type = resourceMergeType(object({
    spec: object({
      set: { type: "array", "x-kubernetes-list-type": "set", items: text }, plain: { type: "array", items: text }, port: { "x-kubernetes-int-or-string": true },
      map: { type: "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k", "p"], items: object({ k: text, p: { ...text, default: "TCP" } }) },
      whole: object({ a: text }, { "x-kubernetes-map-type": "atomic" }), any: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    }),
  }));
  const at = (...path: string[]) => path.reduce<ReturnType<typeof resourceMergeType> | undefined>((inner, name) => (inner?.kind === "map" ? inner.field(name) : undefined), type);
  expect(at("spec", "set")).toMatchObject({ kind: "list", relationship: "set", item: { kind: "scalar", scalar: "string" } });
  expect(at("spec", "plain")).toMatchObject({ kind: "list", relationship: "atomic" });
  expect(at("spec", "map")).toMatchObject({ kind: "list", relationship: "map", keys: [{ name: "k" }, { name: "p", default: "TCP" }] });
  expect(at("spec", "whole")).toMatchObject({ kind: "map", relationship: "atomic" });
  expect([at("spec", "port")?.kind, at("spec", "any")?.kind, at("spec", "none")]).toEqual(["scalar", "untyped", undefined]);
  expect(at("metadata", "finalizers")).toMatchObject({ kind: "list", relationship: "set" });
});

test("prose goes, properties of such names stay", () => {
  expect(withoutProse(object({ description: { type: "string", description: "d" }, title: { type: "array", title: "t", items: { type: "string", example: 1 } } }, { description: "x" })))
    .toEqual(object({ description: { type: "string" }, title: { type: "array", items: { type: "string" } } }));
});
