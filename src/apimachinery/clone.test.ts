import { expect, test } from "bun:test";
import fc from "fast-check";
import { cloneJson } from "./clone.ts";

test("a clone is equal, and shares nothing", () => {
  const sharesNothing = (a: unknown, b: unknown): boolean =>
    typeof a !== "object" || a === null || (a !== b && Object.keys(a).every((name) => sharesNothing((a as Record<string, unknown>)[name], (b as Record<string, unknown>)[name])));
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const copy = cloneJson(value);
    expect(JSON.stringify(copy)).toBe(JSON.stringify(value));
    expect(sharesNothing(value, copy)).toBe(true);
  }));
});

test("a member called __proto__ is a member", () => {
  const copy = cloneJson(JSON.parse('{"__proto__": {"a": {"b": 1}}, "constructor": {"c": 2}}')) as Record<string, unknown>;
  expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
  expect(JSON.stringify(copy)).toBe('{"__proto__":{"a":{"b":1}},"constructor":{"c":2}}');
  expect(({} as Record<string, unknown>)["a"]).toBeUndefined();
});

test("what is frozen can be changed in its clone", () => {
  const copy = cloneJson(Object.freeze({ list: Object.freeze([1]) as number[], left: undefined }));
  copy.list.push(2);
  expect(copy).toStrictEqual({ list: [1, 2], left: undefined });
});
