import { describe, expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import type { Schema } from "../schema/schema.ts";
import { fieldPathOf } from "./field-path.ts";
import { runRules } from "./run-rules.ts";
import { validateSchema } from "./schema-rules.ts";

const object = (properties: Record<string, Schema>, more: Partial<Schema> = {}): Schema => ({ type: "object", properties, ...more }) as Schema;
const spec = (schema: Schema): Schema => object({ spec: schema });
const check = (schema: Schema, statusEnabled = false): string[] => validateSchema({ schema, field: "s", statusEnabled, version: "v1", old: undefined }).map(render);
const text: Schema = { type: "string" };

/** The messages are those of kube-apiserver 1.36.3, asked with the same schemas. */
describe("schemas", () => {
  const table: [name: string, schema: Schema, expected: string[]][] = [
    ["are typed", spec(object({ a: {} })), ["s.properties[spec].properties[a].type: Required value: must not be empty for specified object fields"]],
    ["are objects at the root", text, ["s.type: Invalid value: \"string\": must be object at the root"]],
    ["say what lists hold", spec({ type: "array" }), ["s.properties[spec].items: Required value: must be specified"]],
    ["are no maps at the root", { type: "object", additionalProperties: text }, ["s.additionalProperties: Forbidden: must not be used at the root"]],
    ["have no types inside of junctors", spec(object({ a: text }, { anyOf: [object({ a: text })] })), ["s.properties[spec].anyOf[0].properties[a].type: Forbidden: must be empty to be structural", "s.properties[spec].anyOf[0].type: Forbidden: must be empty to be structural"]],
    ["specify what junctors speak of", object({}, { not: { properties: { b: { minLength: 1 } } } }), ["s.properties[b]: Required value: because it is defined in s.not.properties[b]"]],
    ["may be integers or strings", spec({ "x-kubernetes-int-or-string": true, anyOf: [{ type: "integer" }, { type: "string" }] }), []],
    ["leave metadata alone but for names", object({ metadata: object({ labels: { type: "object" } }) }), ["s.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified"]],
    ["may bound names", object({ metadata: object({ name: { type: "string", maxLength: 5 } }) }), []],
    ["have patterns that compile", spec({ type: "string", pattern: "(" }), [expect.stringMatching(/^s\.properties\[spec\]\.pattern: Invalid value: "\(": must be a valid regular expression, but isn't: /) as never]],
    ["know no references", spec({ $ref: "#/x" }), ["s.properties[spec].$ref: Forbidden: $ref is not supported"]],
    ["compare no items", spec({ type: "array", uniqueItems: true, items: text }), ["s.properties[spec].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"]],
    ["are structs or maps", spec(object({ a: text }, { additionalProperties: text })), ["s.properties[spec].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"]],
    ["have defaults that are valid", spec(object({ a: { type: "integer", minimum: 5, default: 1 } })), ["s.properties[spec].properties[a].default: Invalid value: 1: s.properties[spec].properties[a].default in body should be greater than or equal to 5".replace("s.properties[spec].properties[a].default in body", " in body")]],
    ["have defaults that are specified", spec({ ...object({ a: text }), default: { b: 1 } }), ["s.properties[spec].default: Invalid value: {\"b\":1}: must not have unknown fields"]],
    ["name the keys of maps", spec({ type: "array", "x-kubernetes-list-type": "map", items: object({}) }), ["s.properties[spec].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map"]],
    ["have keys that are always there", spec({ type: "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], items: object({ k: text }) }), ["s.properties[spec].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"]],
    ["know three kinds of lists", spec({ type: "array", "x-kubernetes-list-type": "bag", items: text }), ["s.properties[spec].x-kubernetes-list-type: Unsupported value: \"bag\": supported values: \"atomic\", \"set\", \"map\""]],
    ["have no other types", spec({ type: "foo" }), ["s.properties[spec].type: Unsupported value: \"foo\": supported values: \"array\", \"boolean\", \"integer\", \"number\", \"object\", \"string\""]],
  ];
  for (const [name, schema, expected] of table) test(name, () => expect(check(schema)).toEqual(expected));

  test("have few keywords at the root where status is apart", () => {
    expect(check({ ...spec(text), allOf: [{ required: ["spec"] }] }, true)).toEqual([expect.stringContaining("fields are allowed at the root of the schema if the status subresource is enabled") as never]);
    expect(check({ ...text }, true)[0]).toBe("s.type: Invalid value: \"string\": only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled");
  });
});

const rule = (text: string, more: object = {}): Partial<Schema> => ({ "x-kubernetes-validations": [{ rule: text, ...more }] });

describe("rules of a definition", () => {
  const at = "s.properties[spec].x-kubernetes-validations[0]";
  const table: [name: string, schema: Schema, expected: (string | RegExp)[]][] = [
    ["compile", spec(object({ a: text }, rule("self.a +"))), [/^s\.properties\[spec\]\.x-kubernetes-validations\[0\]\.rule: Invalid value: \{"Rule":"self\.a \+".*compilation failed: ERROR: <input>:1:9: Syntax error/s]],
    ["know the fields", spec(object({ a: text }, rule("self.b == 'x'"))), [/undefined field 'b'/]],
    ["are true or false", spec(object({ a: text }, rule("self.a"))), [/cel expression must evaluate to a bool$/]],
    ["are not empty", spec(object({}, rule(" "))), [`${at}.rule: Required value: rule is not specified`]],
    ["point at fields", spec(object({}, rule("true", { fieldPath: ".b" }))), [`${at}.fieldPath: Invalid value: ".b": must be a valid path`]],
    ["know oldSelf only where it can be told", spec({ type: "array", maxItems: 5, items: { type: "string", maxLength: 5, ...rule("self == oldSelf") } } as Schema), ["s.properties[spec].items.x-kubernetes-validations[0].rule: Invalid value: \"self == oldSelf\": oldSelf cannot be used on the uncorrelatable portion of the schema within s.properties[spec]"]],
    ["are not too expensive", spec(object({ a: { type: "array", items: text } }, rule("self.a.all(x, self.a.all(y, x == y))"))), [/^s\.properties\[spec\]\.x-kubernetes-validations\[0\]\.rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x/, /contributed to estimated rule cost total/, /^s: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget/]],
  ];
  for (const [name, schema, expected] of table) {
    test(name, () => {
      const found = check(schema);
      expect(found).toHaveLength(expected.length);
      expected.forEach((one, i) => (typeof one === "string" ? expect(found[i]).toBe(one) : expect(found[i]).toMatch(one)));
    });
  }
});

describe("rules of an object", () => {
  const schema = object({
    spec: object({
      a: { type: "integer" }, b: { type: "integer" },
      imm: { type: "string", ...rule("self == oldSelf", { message: "is immutable" }) } as Schema,
      once: { type: "string", ...rule("!oldSelf.hasValue() || self == oldSelf.value()", { optionalOldSelf: true, reason: "FieldValueForbidden" }) } as Schema,
      list: { type: "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"], items: object({ n: text, v: { type: "integer", ...rule("self >= oldSelf") } as Schema }) },
      map: { type: "object", additionalProperties: { type: "integer", ...rule("10 / self > 0") } } as Schema,
    }, rule("!has(self.a) || !has(self.b) || self.a <= self.b", { messageExpression: "'a is ' + string(self.a)", fieldPath: ".a" })),
  });
  const old = { spec: { imm: "x", once: "y", list: [{ n: "a", v: 5 }] } };
  const table: [name: string, spec: object, isUpdate: boolean, expected: string[]][] = [
    ["hold", { a: 1, b: 2, imm: "x", list: [{ n: "a", v: 1 }], map: { k: 3 } }, false, []],
    ["say what is wrong, and where", { a: 3, b: 2 }, false, ["spec.a: Invalid value: a is 3"]],
    ["compare with before", { ...old.spec, imm: "z" }, true, ["spec.imm: Invalid value: \"z\": is immutable"]],
    ["may know that nothing was before", { ...old.spec, once: "z" }, true, ["spec.once: Forbidden: failed rule: !oldSelf.hasValue() || self == oldSelf.value()"]],
    ["find items of maps again", { ...old.spec, list: [{ n: "b", v: 1 }, { n: "a", v: 4 }] }, true, ["spec.list[1].v: Invalid value: 4: failed rule: self >= oldSelf"]],
    ["fail with their reason", { map: { k: 0 } }, false, ["spec.map[k]: Invalid value: \"integer\": division by zero evaluating rule: 10 / self > 0"]],
  ];
  for (const [name, value, isUpdate, expected] of table) test(name, () => expect(runRules({ spec: value }, schema, isUpdate ? { old } : {}).map(render)).toEqual(expected));

  test("let pass what was false before and has not changed", () => {
    const before = { spec: { a: 3, b: 2 } };
    expect(runRules({ ...before, other: 1 }, schema, { old: before })).toEqual([]);
    expect(runRules({ spec: { a: 4, b: 2 } }, schema, { old: before })).toHaveLength(1);
  });
});

test("paths of fields are shown as field errors show them", () => {
  const schema = spec(object({ parts: { type: "object", additionalProperties: object({ "a.b": text }) } }));
  expect(fieldPathOf(".spec.parts['x.y']['a.b']", schema)).toBe("spec.parts[x.y].a.b");
  expect([".spec.none", "spec", ".spec[0]", ".spec."].map((path) => fieldPathOf(path, schema))).toEqual([undefined, undefined, undefined, undefined]);
});
