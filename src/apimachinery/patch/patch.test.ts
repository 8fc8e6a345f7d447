import { describe, expect, test } from "bun:test";
import { StatusError } from "../status.ts";
import { applyJsonPatch } from "./json-patch.ts";
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
  ];
  for (const [name, patch, result] of applied) {
    test(name, () => {
      const before = structuredClone(target);
      expect(applyJsonPatch(target, patch)).toEqual(result);
      expect(target).toEqual(before);
    });
  }

  const refused: [name: string, patch: unknown, code: number, text: string][] = [
    ["a missing path", [{ op: "remove", path: "/nope" }], 422, "remove operation does not apply: doc is missing path: \"/nope\""],
    ["a missing parent", [{ op: "add", path: "/no/such", value: 1 }], 422, "/no/such"],
    ["replacing nothing", [{ op: "replace", path: "/nope", value: 1 }], 422, "/nope"],
    ["a test that fails", [{ op: "test", path: "/a", value: 2 }], 422, "testing value /a failed"],
    ["an index beyond the end", [{ op: "add", path: "/list/7", value: 2 }], 422, "/list/7"],
    ["an unknown operation", [{ op: "explode", path: "/a" }], 422, "explode"],
    ["a prototype", [{ op: "add", path: "/__proto__/polluted", value: 1 }], 422, "path"],
    ["a constructor", [{ op: "copy", from: "/constructor", path: "/b" }], 422, "from"],
    ["no list", { op: "remove", path: "/a" }, 400, "cannot unmarshal object"],
    ["too many", Array.from({ length: 10_001 }, () => ({ op: "test", path: "/a", value: 1 })), 413, "10000"],
  ];
  for (const [name, patch, code, text] of refused) {
    test(`refuses ${name}`, () => {
      const error = thrownBy(() => applyJsonPatch(target, patch));
      expect(error.code).toBe(code);
      expect(error.message).toContain(text);
    });
  }
  test("an operation that fails leaves nothing behind", () => {
    const before = structuredClone(target);
    thrownBy(() => applyJsonPatch(target, [{ op: "remove", path: "/a" }, { op: "remove", path: "/a" }]));
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
