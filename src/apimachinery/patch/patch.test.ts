import { describe, expect, test } from "bun:test";
import { StatusError } from "../status.ts";
import { applyJsonPatch, PatchError } from "./json-patch.ts";
import { applyMergePatch } from "./merge-patch.ts";

function thrownBy(act: () => unknown): StatusError {
  try {
    act();
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("JSON patch", () => {
  const target = { a: 1, list: [1, 2, 3], nested: { "x/y": { "t~": true } } };
  const applied: [name: string, patch: unknown, result: unknown][] = [
    ["add and remove", [{ op: "add", path: "/b", value: 2 }, { op: "remove", path: "/a" }], { list: [1, 2, 3], nested: target.nested, b: 2 }],
    ["list positions", [{ op: "add", path: "/list/1", value: 9 }, { op: "add", path: "/list/-", value: 8 }, { op: "remove", path: "/list/0" }], { ...target, list: [9, 2, 3, 8] }],
    ["escaped pointers", [{ op: "replace", path: "/nested/x~1y/t~0", value: null }], { ...target, nested: { "x/y": { "t~": null } } }],
    ["move and copy", [{ op: "move", from: "/a", path: "/m" }, { op: "copy", from: "/m", path: "/c" }], { list: [1, 2, 3], nested: target.nested, m: 1, c: 1 }],
    ["a test that holds", [{ op: "test", path: "/list", value: [1, 2, 3] }, { op: "replace", path: "/a", value: 2 }], { ...target, a: 2 }],
    ["the whole document", [{ op: "replace", path: "", value: { z: 1 } }], { z: 1 }],
    ["nothing", [], target],
    ["a key that isn't there yet", [{ op: "replace", path: "/b", value: 2 }, { op: "test", path: "/none", value: null }, { op: "copy", from: "/constructor", path: "/c" }], { ...target, b: 2, c: null }],
  ];
  for (const [name, patch, result] of applied) {
    test(name, () => {
      const before = structuredClone(target);
      expect(applyJsonPatch(target, patch)).toEqual(result);
      expect(target).toEqual(before);
    });
  }

  const refused: [name: string, patch: unknown, text: string][] = [
    ["a missing key", [{ op: "remove", path: "/nope" }], "error in remove for path: '/nope': Unable to remove nonexistent key: nope: missing value"],
    ["a missing parent", [{ op: "add", path: "/no/such", value: 1 }], 'add operation does not apply: doc is missing path: "/no/such": missing value'],
    ["a test that fails", [{ op: "test", path: "/a", value: 2 }], "testing value /a failed: test failed"],
    ["a test below nothing", [{ op: "test", path: "/no/such", value: null }], "test operation does not apply: is missing path: /no/such: missing value"],
    ["moving what isn't there", [{ op: "move", from: "/nope", path: "/b" }], "Unable to remove nonexistent key: nope"],
    ["an index beyond the end", [{ op: "add", path: "/list/7", value: 2 }], "Unable to access invalid index: 7"],
    ["an index that is none", [{ op: "replace", path: "/list/x", value: 2 }], "Unable to access invalid index: x"],
    ["an unknown operation", [{ op: "explode", path: "/a" }], "Unexpected kind: explode"],
    ["a prototype", [{ op: "add", path: "/__proto__/polluted", value: 1 }], "doc is missing path"],
    ["the root's removal", [{ op: "remove", path: "" }], "doc is missing path"],
  ];
  for (const [name, patch, text] of refused) {
    test(`refuses ${name}`, () => {
      const apply = (): unknown => applyJsonPatch(target, patch);
      expect(apply).toThrow(PatchError);
      expect(apply).toThrow(text);
    });
  }
  const noPatches: [name: string, patch: unknown, code: number][] = [
    ["no list", { op: "remove", path: "/a" }, 400],
    ["too many", Array.from({ length: 10_001 }, () => ({ op: "test", path: "/a", value: 1 })), 413],
  ];
  for (const [name, patch, code] of noPatches) test(`refuses ${name}`, () => expect(thrownBy(() => applyJsonPatch(target, patch)).code).toBe(code));
  test("an operation that fails leaves nothing behind", () => {
    const before = structuredClone(target);
    expect(() => applyJsonPatch(target, [{ op: "remove", path: "/a" }, { op: "remove", path: "/a" }])).toThrow(PatchError);
    expect(target).toEqual(before);
  });
});

describe("merge patch", () => {
  // The table of RFC 7396, appendix A.
  const cases: [target: unknown, patch: unknown, result: unknown][] = [
    [{ a: "b" }, { a: "c" }, { a: "c" }], [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }], [{ a: "b" }, { a: null }, {}], [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }], [{ a: "c" }, { a: ["b"] }, { a: ["b"] }], [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }], [["a", "b"], ["c", "d"], ["c", "d"]], [{ a: "b" }, ["c"], ["c"]], [{ a: "foo" }, null, null], [{ a: "foo" }, "bar", "bar"],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }], [[1, 2], { a: "b", c: null }, { a: "b" }], [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, result] of cases) {
    test(`${JSON.stringify(target)} + ${JSON.stringify(patch)}`, () => {
      const before = structuredClone(target);
      expect(applyMergePatch(target, patch)).toEqual(result);
      expect(target).toEqual(before as typeof target);
    });
  }
  test("a key called __proto__ is only a key", () => {
    const merged = applyMergePatch({}, JSON.parse('{"__proto__": {"polluted": 1}}')) as object;
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(Object.keys(merged)).toEqual(["__proto__"]);
  });
});
