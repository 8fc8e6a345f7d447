import { expect, test } from "bun:test";
import { byRevision, holds, revisionHash, revisionName, templateOf, templatePatch } from "./controller-revision.ts";
import { encode } from "./name-hash.ts";

const template = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "v1", args: ["a<b>&c"] }] } };

test("a revision holds a patch that replaces the template", () => {
  const data = templatePatch(template);
  expect(data).toEqual({ spec: { template: { ...template, $patch: "replace" } } });
  expect(templateOf({ metadata: {}, revision: 1, data })).toEqual(template);
});

test("data is encoded as Go does it: sorted, escaped, without what is absent", () => {
  expect(encode({ b: [1, "<&>\u2028"], a: { z: null, y: undefined, x: {} } })).toBe('{"a":{"x":{}},"b":[1,"\\u003c\\u0026\\u003e\\u2028"]}');
  expect(holds({ metadata: {}, revision: 1, data: { b: 1, a: { c: null } } }, { a: {}, b: 1 })).toBe(true);
  expect(holds({ metadata: {}, revision: 1, data: { b: 1 } }, { b: 2 })).toBe(false);
});

test("hashes are FNV-1 of data and collisions, in letters that make no words", () => {
  // HashControllerRevision of Kubernetes for the data {} and the counts 0, 1 and 12.
  expect([0, 1, 12].map((collisions) => revisionHash({}, collisions))).toEqual(["cccc864bc", "cccc864bb", "7f9c96b656"]);
  expect(revisionName({ metadata: { name: "w".repeat(250) } }, "abc")).toBe(`${"w".repeat(223)}-abc`);
});

test("the history's order is by number, then by age and name", () => {
  const revision = (name: string, number: number, second = 0): Parameters<typeof byRevision>[0] => ({ metadata: { name, creationTimestamp: `2026-01-01T00:00:0${second}Z` }, revision: number });
  expect([revision("d", 3), revision("c", 1, 2), revision("b", 1, 1), revision("a", 1, 2)].toSorted(byRevision).map(({ metadata }) => metadata.name!)).toEqual(["b", "a", "c", "d"]);
});
