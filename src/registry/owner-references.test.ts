import { expect, test } from "bun:test";
import type { OwnerReference } from "../apis/generated/meta/v1.ts";
import { dedupOwnerReferences } from "./owner-references.ts";

const reference = (name: string, more: Partial<OwnerReference> = {}): OwnerReference => ({ apiVersion: "v1", kind: "Pod", name, uid: `uid-${name}`, ...more });

function dedup(...ownerReferences: OwnerReference[]): { kept: OwnerReference[]; warnings: string[] } {
  const object = { metadata: { name: "x", ownerReferences } }, warnings: string[] = [];
  dedupOwnerReferences(object, { user: { name: "", groups: [] }, warn: (text) => warnings.push(text) }, false);
  return { kept: object.metadata.ownerReferences, warnings };
}

test("what comes twice is kept once, in its place, and told of", () => {
  const { kept, warnings } = dedup(reference("a"), reference("b"), reference("a"), reference("c"), reference("b"), reference("a"));
  expect(kept.map(({ name }) => name)).toEqual(["a", "b", "c"]);
  expect(warnings).toEqual([expect.stringMatching(/^\.metadata\.ownerReferences contains duplicate entries; .*duplicate UID\(s\) observed: uid-a, uid-b$/)]);
});

test("those that differ in anything are kept", () => {
  const all = [reference("a"), reference("a", { controller: true }), reference("a", { blockOwnerDeletion: true }), reference("a", { uid: "other" }), reference("a", { apiVersion: "v2" }), reference("a", { kind: "Node" })];
  expect(dedup(...all)).toEqual({ kept: all, warnings: [] });
});
