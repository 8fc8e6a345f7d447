import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Frozen, KubeObject } from "../meta.ts";
import type { JsonObject } from "../own.ts";
import { compare } from "./compare.ts";
import { applyConfiguration, trackUpdate, type ManagedWrite } from "./field-manager.ts";
import { difference, emptySet, has, intersection, isEmpty, paths, setOf, sorted, union, type FieldSet } from "./field-set.ts";
import { tableMergeType } from "./table-merge-type.ts";
import { fieldSetOf } from "./typed.ts";

const element = fc.constantFrom("f:a", "f:b", "f:c", 'k:{"name":"x"}', 'v:"x"');
const set: fc.Arbitrary<FieldSet> = fc.array(fc.array(element, { minLength: 1, maxLength: 4 }), { maxLength: 8 }).map((list) => setOf(...list));
const members = (fields: FieldSet): string[] => paths(fields).map((path) => path.join("/")).toSorted();

test("sets are sets of paths", () => {
  fc.assert(fc.property(set, set, (a, b) => {
    const inA = new Set(members(a)), inB = new Set(members(b));
    expect(members(union(a, b))).toEqual([...inA.union(inB)].toSorted());
    expect(members(intersection(a, b))).toEqual([...inA.intersection(inB)].toSorted());
    expect(members(difference(a, b))).toEqual([...inA.difference(inB)].toSorted());
    expect(members(difference(a, b, true))).toEqual([...inA].filter((path) => ![...inB].some((gone) => path === gone || path.startsWith(`${gone}/`))).toSorted());
    expect(members(sorted(a))).toEqual(members(a));
    for (const path of paths(a)) expect(has(a, path)).toBe(true);
  }));
});

test("what changes nothing is the same set", () => {
  fc.assert(fc.property(set, set, (a, b) => {
    expect(union(union(a, b), b)).toEqual(union(a, b));
    expect(union(a, intersection(a, b))).toBe(a);
    expect(difference(a, emptySet)).toBe(a);
    expect(isEmpty(difference(a, a))).toBe(true);
  }));
});

const type = tableMergeType("io.k8s.api.core.v1.Pod");
const by = (manager: string): ManagedWrite => ({ type, group: "", version: "v1", kind: "Pod", manager, subresource: "", reset: setOf(["f:status"]), now: "2026-01-01T00:00:00Z" });
const text = fc.constantFrom("1", "2", "3");
// Nothing here is empty: what becomes of an empty map that had entries is another question.
const words = fc.dictionary(fc.constantFrom("x", "y", "z"), text, { minKeys: 1, noNullPrototype: true });
const containers = fc.uniqueArray(fc.record({
  name: fc.constantFrom("one", "two", "three"), image: text,
  env: fc.uniqueArray(fc.record({ name: fc.constantFrom("A", "B"), value: text }), { selector: ({ name }) => name, minLength: 1 }), command: fc.array(text, { minLength: 1, maxLength: 2 }),
}, { requiredKeys: ["name"] }), { selector: ({ name }) => name, minLength: 1, maxLength: 3 });
const config: fc.Arbitrary<JsonObject> = fc.record({ labels: words, containers, nodeSelector: words }).map(({ labels, ...spec }) =>
  ({ apiVersion: "v1", kind: "Pod", metadata: { name: "a", labels }, spec }));
const apply = (live: KubeObject | undefined, configuration: JsonObject, manager: string): KubeObject => applyConfiguration(live as Frozen<KubeObject> | undefined, structuredClone(configuration), by(manager), true);

test("applying the same again changes nothing", () => {
  fc.assert(fc.property(config, config, (mine, theirs) => {
    const live = apply(apply(undefined, theirs, "theirs"), mine, "mine");
    const again = apply(live, mine, "mine");
    expect(again).toEqual(live);
  }));
});

test("what a manager applied is there, and nothing of what it alone had applied before and left out", () => {
  fc.assert(fc.property(config, config, (before, now) => {
    const merged = apply(apply(undefined, before, "mine"), now, "mine");
    const { managedFields: _, ...metadata } = merged.metadata;
    const { added, modified } = compare({ ...merged, metadata }, apply(undefined, now, "mine"), type);
    expect(members(added).filter((path) => !path.includes("managedFields"))).toEqual([]);
    expect(members(modified).filter((path) => !path.includes("managedFields"))).toEqual([]);
    const leaves = (object: unknown): string[] => members(fieldSetOf(object, type)).filter((path) => !path.startsWith("f:metadata/f:managedFields"));
    expect(leaves({ ...merged, metadata }).filter((path) => !leaves(now).includes(path) && !leaves(now).some((kept) => kept.startsWith(path)))).toEqual([]);
  }));
});

test("another's fields outlive a manager's", () => {
  fc.assert(fc.property(config, config, (mine, theirs) => {
    const empty: JsonObject = { apiVersion: "v1", kind: "Pod", metadata: { name: "a" } };
    const left = apply(apply(apply(undefined, theirs, "theirs"), mine, "mine"), empty, "mine");
    const kept = members(fieldSetOf(left, type));
    for (const { manager } of left.metadata.managedFields ?? []) expect(manager).not.toBe("mine");
    const owned = (left.metadata.managedFields ?? []).flatMap(({ fieldsV1 }) => members(fieldsV1 as FieldSet));
    for (const path of owned) expect(kept).toContain(path);
  }));
});

test("an update is owned by who changed, and by nobody twice", () => {
  fc.assert(fc.property(config, config, (before, after) => {
    const live = structuredClone(before) as unknown as KubeObject;
    trackUpdate(undefined, live, by("creator"));
    const object = structuredClone(after) as unknown as KubeObject;
    trackUpdate(live as Frozen<KubeObject>, object, by("updater"));
    const sets = (object.metadata.managedFields ?? []).map(({ fieldsV1 }) => fieldsV1 as FieldSet);
    if (sets.length === 2) expect(members(intersection(sets[0]!, sets[1]!))).toEqual([]);
  }));
});
