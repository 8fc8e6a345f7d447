import { expect, test } from "bun:test";
import { compare } from "./compare.ts";
import { paths, showPath } from "./field-set.ts";
import { tableMergeType } from "./table-merge-type.ts";

test("an item that was given no key has the key's zero, as every stored item has one", () => {
  const type = tableMergeType("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition");
  const { added } = compare({ status: {} }, { status: { conditions: [{ message: "patched" }] } }, type);
  expect(paths(added).map(showPath)).toContain('.status.conditions[type=""].message');
});
