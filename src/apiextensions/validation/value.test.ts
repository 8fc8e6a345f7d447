import { describe, expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import type { Schema } from "../schema/schema.ts";
import { formatCheck } from "./formats.ts";
import { validateValue } from "./value.ts";

const spec = (schema: Schema): Schema => ({ type: "object", properties: { spec: schema } }) as Schema;

/** The messages are those of kube-apiserver 1.36.3, asked with the same schemas and values. */
describe("values", () => {
  const table: [schema: Schema, value: unknown, expected: string[]][] = [
    [{ type: "integer", maximum: 10 }, 11, ["spec: Invalid value: 11: spec in body should be less than or equal to 10"]],
    [{ type: "integer", maximum: 10, exclusiveMaximum: true }, 10, ["spec: Invalid value: 10: spec in body should be less than 10"]],
    [{ type: "integer", minimum: 1 }, 0, ["spec: Invalid value: 0: spec in body should be greater than or equal to 1"]],
    [{ type: "number", multipleOf: 0.1 }, 0.35, ["spec: Invalid value: 0.35: spec in body should be a multiple of 0.1"]],
    [{ type: "number", multipleOf: 0.1 }, 0.3, []],
    [{ type: "integer" }, "x", ["spec: Invalid value: \"string\": spec in body must be of type integer: \"string\""]],
    [{ type: "string" }, 5, ["spec: Invalid value: \"integer\": spec in body must be of type string: \"integer\""]],
    [{ type: "object" }, [], ["spec: Invalid value: \"array\": spec in body must be of type object: \"array\""]],
    [{ type: "string" }, null, ["spec: Invalid value: \"null\": spec in body must be of type string: \"null\""]],
    [{ type: "string", nullable: true }, null, []],
    [{ type: "number" }, 5, []],
    [{ type: "integer" }, 1.5, ["spec: Invalid value: \"number\": spec in body must be of type integer: \"number\"", "<nil>: Invalid value: \"\": Checked value must be of type integer (default format) in spec"]],
    [{ type: "integer", format: "int32" }, 3_000_000_000, ["<nil>: Invalid value: \"\": Checked value must be of type integer with format int32 in spec"]],
    [{ "x-kubernetes-int-or-string": true }, true, ["spec: Invalid value: \"boolean\": spec in body must be of type integer,string: \"boolean\""]],
    [{ type: "string", enum: ["red", "green"] }, "blue", ["spec: Unsupported value: \"blue\": supported values: \"red\", \"green\""]],
    [{ type: "integer", enum: [1, 2] }, 3, ["spec: Unsupported value: 3: supported values: \"1\", \"2\""]],
    [{ type: "string", maxLength: 2 }, "abc", ["spec: Too long: may not be more than 2 bytes"]],
    [{ type: "string", maxLength: 2 }, "👍👍", []],
    [{ type: "string", minLength: 2 }, "a", ["spec: Invalid value: \"a\": spec in body should be at least 2 chars long"]],
    [{ type: "string", pattern: "^[a-z]+$" }, "A1", ["spec: Invalid value: \"A1\": spec in body should match '^[a-z]+$'"]],
    [{ type: "string", format: "date-time" }, "yesterday", ["spec: Invalid value: \"yesterday\": spec in body must be of type date-time: \"yesterday\""]],
    [{ type: "string", format: "date-time" }, 5, ["spec: Invalid value: \"int64\": spec in body must be of type date-time: \"int64\""]],
    [{ type: "string", format: "made-up" }, "anything", []],
    [{ type: "array", maxItems: 1, items: { type: "string" } }, ["a", "b"], ["spec: Too many: 2: must have at most 1 items"]],
    [{ type: "array", minItems: 2, items: { type: "string" } }, [1], ["spec[0]: Invalid value: \"integer\": spec[0] in body must be of type string: \"integer\"", "spec: Invalid value: 1: spec in body should have at least 2 items"]],
    [{ type: "object", maxProperties: 1 }, { a: 1, b: 2 }, ["spec: Too many: 2: must have at most 1 items"]],
    [{ type: "object", minProperties: 1 }, {}, ["spec: Invalid value: 0: spec in body should have at least 1 properties"]],
    [{ type: "object", required: ["a", "b"] }, { b: 1 }, ["spec.a: Required value"]],
    [{ type: "object", additionalProperties: { type: "integer" } }, { a: "x" }, ["spec.a: Invalid value: \"string\": spec.a in body must be of type integer: \"string\""]],
    [{ type: "object", properties: { a: { type: "string" } }, oneOf: [{ required: ["a"] }, { required: ["b"] }] }, {}, ["<nil>: Invalid value: \"\": \"spec\" must validate one and only one schema (oneOf). Found none valid", "spec.a: Required value"]],
    [{ type: "object", oneOf: [{ required: ["a"] }, { required: ["b"] }] }, { a: 1, b: 1 }, ["<nil>: Invalid value: \"\": \"spec\" must validate one and only one schema (oneOf). Found 2 valid alternatives"]],
    [{ type: "object", anyOf: [{ required: ["a"] }, { required: ["b"] }] }, {}, ["<nil>: Invalid value: \"\": \"spec\" must validate at least one schema (anyOf)", "spec.a: Required value"]],
    [{ type: "object", allOf: [{ required: ["a"] }, { required: ["b"] }] }, { a: 1 }, ["spec.b: Required value", "<nil>: Invalid value: \"\": \"spec\" must validate all the schemas (allOf)"]],
    [{ type: "object", not: { required: ["a"] } }, { a: 1 }, ["<nil>: Invalid value: \"\": \"spec\" must not validate the schema (not)"]],
  ];
  for (const [schema, value, expected] of table) {
    test(`${JSON.stringify(schema)} ← ${JSON.stringify(value)}`, () => expect(validateValue({ spec: value }, spec(schema)).map(render)).toEqual(expected));
  }
});

describe("what was wrong before", () => {
  const schema: Schema = {
    type: "object",
    properties: {
      a: { type: "integer", maximum: 5 }, b: { type: "string" },
      list: { type: "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], items: { type: "object", properties: { k: { type: "string" }, v: { type: "integer", maximum: 5 } } } },
      plain: { type: "array", items: { type: "integer", maximum: 5 } },
    },
  };
  const old = { a: 9, b: "x", list: [{ k: "a", v: 9 }, { k: "b", v: 1 }], plain: [9, 1] };
  const table: [name: string, value: object, expected: string[]][] = [
    ["is let pass while it stays", { ...old, b: "y" }, []],
    ["counts once it changes", { ...old, a: 8 }, ["a: Invalid value: 8: a in body should be less than or equal to 5"]],
    ["is found again in a map that was reordered", { ...old, list: [{ k: "b", v: 2 }, { k: "a", v: 9 }] }, []],
    ["counts in a new item of a map", { ...old, list: [...old.list, { k: "c", v: 9 }] }, ["list[2].v: Invalid value: 9: list[2].v in body should be less than or equal to 5"]],
    ["counts in a list that isn't told apart as soon as it changes", { ...old, plain: [9, 2] }, ["plain[0]: Invalid value: 9: plain[0] in body should be less than or equal to 5"]],
  ];
  for (const [name, value, expected] of table) test(name, () => expect(validateValue(value, schema, { old }).map(render)).toEqual(expected));
});

test("a pattern that would take others years is matched at once", () => {
  const began = performance.now();
  expect(validateValue(`${"a".repeat(5_000)}!`, { type: "string", pattern: "^(a+)+$" })).toHaveLength(1);
  expect(performance.now() - began).toBeLessThan(2_000);
});

describe("formats", () => {
  const table: [format: string, good: string[], bad: string[]][] = [
    ["date-time", ["2026-01-02T03:04:05Z", "2026-01-02t03:04:05.678+02:00"], ["2026-01-02", "2026-02-30T00:00:00Z", "2026-01-02T24:00:00Z", "2026-01-02 03:04:05Z"]],
    ["date", ["2024-02-29"], ["2026-02-29", "26-1-1"]],
    ["ipv4", ["10.0.0.1", "010.0.0.1"], ["10.0.0", "::1", "1.2.3.256"]],
    ["ipv6", ["::1", "2001:db8::ffff"], ["10.0.0.1", "x"]],
    ["cidr", ["10.0.0.0/8", "::/0"], ["10.0.0.0", "10.0.0.0/33"]],
    ["uuid", ["f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "F81D4FAE7DEC11D0A76500A0C91E6BF6"], ["f81d4fae"]],
    ["uuid4", ["f81d4fae-7dec-41d0-a765-00a0c91e6bf6"], ["f81d4fae-7dec-11d0-a765-00a0c91e6bf6"]],
    ["mac", ["00:00:5e:00:53:01", "02-00-5e-10-00-00-00-01", "0000.5e00.5301"], ["00:00:5e:00:53", "00:00-5e:00:53:01"]],
    ["hostname", ["example.com", "a"], ["-x", "a_b"]],
    ["email", ["a@example.com"], ["a", "@b"]],
    ["uri", ["https://example.com/x", "/path"], ["relative", "", "http://a b"]],
    ["byte", ["", "aGk="], ["aGk", "!!!!"]],
    ["duration", ["1h30m", "22ms", "3 days"], ["x", "1"]],
    ["isbn13", ["978-0321751041"], ["978-0321751042"]],
    ["isbn10", ["0321751043"], ["0321751044"]],
    ["creditcard", ["4111 1111 1111 1111"], ["4111 1111 1111 1112"]],
    ["ssn", ["111-22-3333"], ["11-22-333"]],
    ["hexcolor", ["#FFFFFF", "abc"], ["#ff"]],
    ["rgbcolor", ["rgb(255,255,0)"], ["rgb(256,0,0)"]],
    ["k8s-short-name", ["a-b"], ["A", "-a"]],
    ["k8s-long-name", ["a.b-c"], ["a..b"]],
  ];
  for (const [format, good, bad] of table) {
    test(format, () => {
      expect(good.filter((one) => !formatCheck(format)!(one))).toEqual([]);
      expect(bad.filter((one) => formatCheck(format)!(one))).toEqual([]);
    });
  }
});
