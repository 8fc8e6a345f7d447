import { describe, expect, test } from "bun:test";
import type { KubeObject } from "../../apimachinery/meta.ts";
import { GoneOwners } from "./gone-owners.ts";
import { OwnerGraph } from "./graph.ts";
import { blocking, planObject, type Owner } from "./plan.ts";

const object = (metadata: KubeObject["metadata"] = {}): KubeObject => ({ metadata });
const ref = (uid: string): Owner["ref"] => ({ apiVersion: "v1", kind: "ConfigMap", name: uid, uid });
const present = (uid: string, metadata: KubeObject["metadata"] = {}): Owner => ({ ref: ref(uid), state: "present", object: object(metadata) });
const absent = (uid: string): Owner => ({ ref: ref(uid), state: "absent" });
const waiting = (uid: string): Owner => present(uid, { deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: ["foregroundDeletion"] });
const deletingDependents = object({ deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: ["foregroundDeletion"] });

describe("an object", () => {
  const table: { name: string; object?: KubeObject; owners: Owner[]; dependents?: KubeObject[]; expected: object }[] = [
    { name: "without owners stays", owners: [], expected: { action: "keep" } },
    { name: "with its owner stays", owners: [present("a")], expected: { action: "keep" } },
    { name: "with an owner of an unknown kind stays", owners: [{ ref: ref("a"), state: "unknown" }], expected: { action: "keep" } },
    { name: "in no namespace with an owner in one stays", owners: [{ ref: ref("a"), state: "elsewhere" }], expected: { action: "keep" } },
    { name: "that has lost its owner goes", owners: [absent("a")], expected: { action: "delete", propagationPolicy: "Background", unblock: false } },
    { name: "that is being deleted already is left to it", object: deletingDependents, owners: [absent("a")], expected: { action: "keep" } },
    { name: "that has lost one of two lets go of it", owners: [absent("a"), present("b"), waiting("c")], expected: { action: "drop-owners", uids: ["a", "c"] } },
    { name: "keeps the way of deletion its finalizer asks for", object: object({ finalizers: ["orphan"] }), owners: [absent("a")], expected: { action: "delete", propagationPolicy: "Orphan", unblock: false } },
    { name: "whose owner waits goes", owners: [waiting("a")], expected: { action: "delete", propagationPolicy: "Background", unblock: false } },
    { name: "whose owner waits goes after its own dependents", owners: [waiting("a")], dependents: [object()], expected: { action: "delete", propagationPolicy: "Foreground", unblock: false } },
    { name: "in a circle no longer blocks", owners: [waiting("a")], dependents: [deletingDependents], expected: { action: "delete", propagationPolicy: "Foreground", unblock: true } },
  ];
  for (const { name, object: it = object(), owners, dependents = [], expected } of table) test(name, () => expect(planObject(it, owners, dependents)).toEqual(expected as never));
});

test("only dependents that say so block their owner", () => {
  const dependents = [true, false, undefined].map((blockOwnerDeletion) => object({ ownerReferences: [{ ...ref("o"), blockOwnerDeletion }] }));
  expect(blocking(object({ uid: "o" }), dependents)).toEqual([dependents[0]!]);
});

test("the graph follows owners as they change", () => {
  const graph = new OwnerGraph();
  const owned = (...uids: string[]): KubeObject => object({ ownerReferences: uids.map(ref) });
  graph.change("x", undefined, owned("a", "b"));
  graph.change("y", undefined, owned("a"));
  graph.change("x", owned("a", "b"), owned("b", "c"));
  expect(["a", "b", "c"].map((uid) => graph.dependentsOf(uid))).toEqual([["y"], ["x"], ["x"]]);
  graph.change("x", owned("b", "c"), undefined);
  expect(graph.dependentsOf("b")).toEqual([]);
});

test("the latest owners that went are remembered", () => {
  const gone = new GoneOwners(2);
  for (const uid of ["a", "b", "a", "c"]) gone.add(uid);
  expect(["a", "b", "c"].map((uid) => gone.has(uid))).toEqual([true, false, true]);
});
