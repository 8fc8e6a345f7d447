import { expect, test } from "bun:test";
import fc from "fast-check";
import { changed, changeOf, type Change } from "./change.ts";

test.each<[string, unknown, unknown, Change | undefined]>([
  ["nothing", { a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }, undefined],
  ["a value", { a: 1, b: 2 }, { a: 1, b: 3 }, { b: [3] }],
  ["a member less", { a: 1, b: 2 }, { a: 1 }, { b: [] }],
  ["a member more", { a: 1 }, { a: 1, b: { c: null } }, { b: [{ c: null }] }],
  ["null is a value", { a: 1 }, { a: null }, { a: [null] }],
  ["undefined is none", { a: 1, b: undefined }, { a: 1, c: undefined }, undefined],
  ["an element", { a: [{ x: 1, y: 1 }, { x: 2 }] }, { a: [{ x: 1, y: 1 }, { x: 3 }] }, { a: { 1: { x: [3] } } }],
  ["elements more", [1, 2, 3], [1, 9, 8, 2, 3], [1, 2, [9, 8]]],
  ["elements less", [1, 2, 3, 4], [1, 4], [1, 1, []]],
  ["all gone", { a: [1] }, { a: [] }, { a: [0, 0, []] }],
  ["another kind", { a: [1] }, { a: { 0: 1 } }, { a: [{ 0: 1 }] }],
])("%s", (_, before, after, change) => {
  expect(changeOf(before, after)).toEqual(change);
  if (change) expect(changed(before, change)).toEqual(after);
});

test("any value comes out of any other", () => {
  const value = fc.jsonValue({ maxDepth: 4 }).map((each) => JSON.parse(JSON.stringify(each)) as unknown);
  fc.assert(fc.property(value, value, (before, after) => {
    const text = JSON.stringify(before), change = changeOf(before, after);
    expect(change ? changed(before, JSON.parse(JSON.stringify(change)) as Change) : before).toEqual(after);
    expect(JSON.stringify(before)).toBe(text);
  }), { numRuns: 500 });
});

test("small edits of an object come out right", () => {
  const edit = fc.record({ at: fc.nat(20), value: fc.oneof(fc.nat(3), fc.constant(undefined), fc.constant(null)) });
  fc.assert(fc.property(fc.array(fc.record({ name: fc.nat(3), sub: fc.array(fc.nat(2), { maxLength: 4 }) }), { maxLength: 8 }), fc.array(edit, { maxLength: 5 }), (items, edits) => {
    const before = { items, meta: { __proto__: null, a: 1 } };
    const after = structuredClone({ items, meta: { a: 1 } });
    for (const { at, value } of edits) {
      if (value === undefined) after.items.splice(at % 9, 1);
      else if (after.items.length > 0) after.items[at % after.items.length]!.sub.splice(at % 4, at % 2, value as number);
    }
    const change = changeOf(before, after);
    expect(change ? changed(before, change) : before).toEqual(after);
  }), { numRuns: 500 });
});

test.each([[{ a: 1 }, [1, 1, []]], [5, { a: [1] }], [[1], []]] as [unknown, Change][])("%j can't change by %j", (before, change) => {
  expect(() => changed(before, change)).toThrow(RangeError);
});

test("a key named __proto__ is a key", () => {
  const after = JSON.parse('{"__proto__":{"x":1}}') as object;
  const made = changed({}, changeOf({}, after)!) as object;
  expect(Object.hasOwn(made, "__proto__")).toBe(true);
  expect(Object.getPrototypeOf(made)).toBe(Object.prototype);
});
