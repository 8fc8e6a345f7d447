import { expect, test } from "bun:test";
import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import { pods } from "../apis/builtins.ts";
import type { Pod } from "../apis/generated/core/v1.ts";
import type { Listers } from "../client/controller.ts";
import { ObjectStore } from "../client/object-store.ts";
import { followOrphans } from "./orphans.ts";

let version = 0;

function pod(name: string, { owner, namespace = "ns", labels = { app: "web" } }: { owner?: string; namespace?: string; labels?: Record<string, string> } = {}): Frozen<Pod> {
  const ownerReferences = owner ? [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: owner, uid: owner, controller: true }] : undefined;
  return { metadata: { name, namespace, labels, resourceVersion: String(++version), ...(ownerReferences ? { ownerReferences } : {}) }, spec: { containers: [] } };
}

function follow(present: Frozen<Pod>[] = []) {
  const store = new ObjectStore<Pod>();
  for (const one of present) store.set(one);
  const lister = (() => store) as unknown as Listers;
  const woken: string[] = [];
  const orphans = followOrphans<Pod>(pods, (orphan) => [`for ${orphan.metadata.name}`]);
  store.onChange((old, current) => woken.push(...orphans.watch.map(current, old, { lister, now: () => 0, monotonic: () => 0 })));
  const claimable = (uid: string, namespace = "ns"): string[] => orphans.claimable({ metadata: { uid, namespace } } as Frozen<KubeObject>, lister).map(({ metadata }) => metadata.name!).toSorted();
  return { store, woken, claimable };
}

test("an owner may claim its own and nobody's, in its namespace", () => {
  const { store, claimable } = follow([pod("mine", { owner: "me" }), pod("yours", { owner: "you" }), pod("free"), pod("far", { namespace: "other" })]);
  expect(claimable("me")).toEqual(["free", "mine"]);
  store.set(pod("free", { owner: "you" }));
  store.set(pod("yours"));
  expect(claimable("me")).toEqual(["mine", "yours"]);
  store.delete("ns/yours");
  expect(claimable("me")).toEqual(["mine"]);
  expect(claimable("nobody", "other")).toEqual(["far"]);
});

test("owners are woken when an orphan comes, is let go or gets other labels, not by everything it does", () => {
  const { store, woken } = follow([pod("there")]);
  const next = (change: () => void): string[] => {
    woken.length = 0;
    change();
    return [...woken];
  };
  expect(woken).toEqual(["for there"]);
  expect(next(() => store.set(pod("there")))).toEqual([]);
  expect(next(() => store.set(pod("there", { labels: { app: "db" } })))).toEqual(["for there"]);
  expect(next(() => store.set(pod("there", { owner: "me" })))).toEqual([]);
  expect(next(() => store.set(pod("there")))).toEqual(["for there"]);
  expect(next(() => store.delete("ns/there"))).toEqual([]);
});
