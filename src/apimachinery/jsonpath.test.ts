import { expect, test } from "bun:test";
import { parseJsonPath } from "./jsonpath.ts";

const object = { spec: { a: 1, "b.c": 2, list: [{ n: "x", v: 1 }, { n: "y", v: 2, ok: true }], empty: null }, status: { conditions: [{ type: "Ready", status: "True" }, { type: "Synced", status: "False" }] } };

for (const [path, expected] of [
  [".spec.a", [1]], [".spec['b.c']", [2]], [".spec.b\\.c", [2]], [".spec.none", []], [".spec.a.deeper", []], [".spec.empty", [null]],
  [".spec.list[0].n", ["x"]], [".spec.list[-1].n", ["y"]], [".spec.list[5].n", []], [".spec.list[*].n", ["x", "y"]], [".spec.list[0:1].n", ["x"]], [".spec.list[1:].n", ["y"]], [".spec.list[:-1].n", ["x"]],
  ['.status.conditions[?(@.type=="Ready")].status', ["True"]], [".status.conditions[?(@.type=='Synced')].status", ["False"]], [".spec.list[?(@.v>1)].n", ["y"]], [".spec.list[?(@.ok)].n", ["y"]], [".spec.list[?(@.n!=\"x\")].v", [2]],
  ["..type", ["Ready", "Synced"]],
] as [string, unknown[]][]) test(path, () => expect(parseJsonPath(path)?.(object)).toEqual(expected));

test("what isn't understood is no path", () => expect([".spec.list[?(bad)]", ".a b", ".a["].map(parseJsonPath)).toEqual([undefined, undefined, undefined]));
