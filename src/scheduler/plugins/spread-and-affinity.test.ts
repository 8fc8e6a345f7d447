import { describe, expect, test } from "bun:test";
import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { replicasets, replicationcontrollers, services, statefulsets } from "../../apis/builtins.ts";
import type { Affinity, Pod, PodAffinityTerm, TopologySpreadConstraint } from "../../apis/generated/core/v1.ts";
import { cluster, node, pod, rejectionsBy, scoresBy, type PodShape } from "../testing/cluster.ts";
import { handleOf } from "../testing/handle.ts";
import { interPodAffinity } from "./inter-pod-affinity.ts";
import { podTopologySpread } from "./pod-topology-spread.ts";

const zone = "topology.kubernetes.io/zone";
const web = { app: "web" };
const inZone = (name: string, value: string) => node(name, { labels: { [zone]: value } });
const on = (nodeName: string, name: string, shape: PodShape = {}) => pod(name, { nodeName, labels: web, ...shape });
const labelSelector = { matchLabels: web };

describe("PodTopologySpread", () => {
  const skewed = "node(s) didn't match pod topology spread constraints";
  const constraint = (more: Partial<TopologySpreadConstraint> = {}): TopologySpreadConstraint => ({ maxSkew: 1, topologyKey: zone, whenUnsatisfiable: "DoNotSchedule", labelSelector, ...more });
  const wanted = (more: Partial<TopologySpreadConstraint> = {}, shape: PodShape = {}) => pod("p", { labels: web, topologySpreadConstraints: [constraint(more)], ...shape });
  const nodes = [inZone("a1", "a"), inZone("a2", "a"), inZone("b1", "b")];

  test("keeps zones within maxSkew", () => {
    const state = cluster(nodes, [on("a1", "1")]);
    expect(rejectionsBy(podTopologySpread(undefined, handleOf()), wanted(), state)).toEqual({ a1: skewed, a2: skewed });
    expect(rejectionsBy(podTopologySpread(undefined, handleOf()), wanted({ maxSkew: 2 }), state)).toEqual({});
  });
  test("counts only pods of the namespace that the selector matches", () => {
    const state = cluster(nodes, [on("a1", "1", { namespace: "other" }), on("a1", "2", { labels: { app: "db" } })]);
    expect(rejectionsBy(podTopologySpread(undefined, handleOf()), wanted(), state)).toEqual({});
  });
  test("a pod that its own selector doesn't match adds nothing", () => {
    expect(rejectionsBy(podTopologySpread(undefined, handleOf()), wanted({}, { labels: {} }), cluster(nodes, [on("a1", "1")]))).toEqual({});
  });
  test("a node without the label is out", () => {
    expect(rejectionsBy(podTopologySpread(undefined, handleOf()), wanted(), cluster([...nodes, node("bare")]))).toEqual({ bare: `${skewed} (missing required label) (for good)` });
  });
  test("with fewer zones than minDomains the least is 0", () => {
    const state = cluster(nodes, [on("a1", "1"), on("b1", "2")]);
    expect(rejectionsBy(podTopologySpread(undefined, handleOf()), wanted({ minDomains: 3 }), state)).toEqual({ a1: skewed, a2: skewed, b1: skewed });
    expect(rejectionsBy(podTopologySpread(undefined, handleOf()), wanted({ minDomains: 2 }), state)).toEqual({});
  });
  test("places the pod can't go to count when told to", () => {
    const state = cluster(nodes, [on("a1", "1")]);
    const onlyA = { nodeSelector: { [zone]: "a" } };
    expect(rejectionsBy(podTopologySpread(undefined, handleOf()), wanted({}, onlyA), state)).toEqual({});
    expect(rejectionsBy(podTopologySpread(undefined, handleOf()), wanted({ nodeAffinityPolicy: "Ignore" }, onlyA), state)).toEqual({ a1: skewed, a2: skewed });
    const tainted = cluster([...nodes.slice(0, 2), node("b1", { labels: { [zone]: "b" }, taints: [{ key: "k", effect: "NoSchedule" }] })], [on("a1", "1")]);
    expect(rejectionsBy(podTopologySpread(undefined, handleOf()), wanted(), tainted)).toEqual({ a1: skewed, a2: skewed });
    expect(rejectionsBy(podTopologySpread(undefined, handleOf()), wanted({ nodeTaintsPolicy: "Honor" }), tainted)).toEqual({});
  });
  test("soft constraints prefer the emptier zone, and nodes that have one", () => {
    const state = cluster([...nodes, node("bare")], [on("a1", "1"), on("a2", "2")]);
    const soft = wanted({ whenUnsatisfiable: "ScheduleAnyway" });
    expect(rejectionsBy(podTopologySpread(undefined, handleOf()), soft, state)).toEqual({});
    const scores = scoresBy(podTopologySpread(undefined, handleOf()), soft, state);
    expect(scores).toEqual({ a1: 0, a2: 0, b1: 100, bare: 0 });
  });
  test("pods of a Service or a controller spread over hosts by themselves", () => {
    const state = cluster(nodes, [on("a1", "1"), on("a1", "2"), on("a2", "3")]);
    const metadata = { name: "web", namespace: "default" };
    const spec = { selector: { matchLabels: web } };
    const ownedBy = (apiVersion: string, kind: string): Frozen<Pod> => ({ ...pod("p", { labels: web }), metadata: { ...pod("p", { labels: web }).metadata, ownerReferences: [{ apiVersion, kind, name: "web", uid: "u", controller: true }] } });
    const cases: [AnyResource, object, Frozen<Pod>][] = [
      [services, { selector: web }, pod("p", { labels: web })],
      [replicasets, spec, ownedBy("apps/v1", "ReplicaSet")], [statefulsets, spec, ownedBy("apps/v1", "StatefulSet")], [replicationcontrollers, { selector: web }, ownedBy("v1", "ReplicationController")],
    ];
    for (const [card, ofOwner, wanted] of cases) {
      const scores = scoresBy(podTopologySpread(undefined, handleOf([[card, [{ metadata, spec: ofOwner } as KubeObject]]])), wanted, state);
      expect(scores.b1!).toBeGreaterThan(scores.a2!);
      expect(scores.a2!).toBeGreaterThan(scores.a1!);
    }
    expect(scoresBy(podTopologySpread(undefined, handleOf()), ownedBy("apps/v1", "ReplicaSet"), state)).toEqual({ a1: 0, a2: 0, b1: 0 });
  });
});

describe("InterPodAffinity", () => {
  const term = (more: Partial<PodAffinityTerm> = {}): PodAffinityTerm => ({ topologyKey: zone, labelSelector, ...more });
  const requires = (...terms: PodAffinityTerm[]): Affinity => ({ podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } });
  const avoids = (...terms: PodAffinityTerm[]): Affinity => ({ podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } });
  const nodes = [inZone("a1", "a"), inZone("a2", "a"), inZone("b1", "b")];
  const apart = "node(s) didn't match pod affinity rules (for good)";
  const together = "node(s) didn't match pod anti-affinity rules";
  const refused = "node(s) didn't satisfy existing pods anti-affinity rules";
  const state = cluster(nodes, [on("a1", "1")], { namespaces: { default: { team: "x" }, other: { team: "y" } } });

  const cases: [name: string, PodShape, rejections: Record<string, string>][] = [
    ["affinity: the zone of the other", { affinity: requires(term()) }, { b1: apart }],
    ["affinity: the host of the other", { affinity: requires(term({ topologyKey: "kubernetes.io/hostname" })) }, { a2: apart, b1: apart }],
    ["affinity: nobody there", { affinity: requires(term({ labelSelector: { matchLabels: { app: "db" } } })) }, { a1: apart, a2: apart, b1: apart }],
    ["affinity: the first of its group", { labels: { app: "db" }, affinity: requires(term({ labelSelector: { matchLabels: { app: "db" } } })) }, {}],
    ["affinity: one pod must match all terms", { affinity: requires(term(), term({ labelSelector: { matchLabels: { app: "db" } } })) }, { a1: apart, a2: apart, b1: apart }],
    ["affinity: its own namespace alone", { namespace: "other", affinity: requires(term()) }, { a1: apart, a2: apart, b1: apart }],
    ["affinity: named namespaces", { namespace: "other", affinity: requires(term({ namespaces: ["default"] })) }, { b1: apart }],
    ["affinity: selected namespaces", { namespace: "other", affinity: requires(term({ namespaceSelector: { matchLabels: { team: "x" } } })) }, { b1: apart }],
    ["affinity: all namespaces", { namespace: "other", affinity: requires(term({ namespaceSelector: {} })) }, { b1: apart }],
    ["anti-affinity", { affinity: avoids(term()) }, { a1: together, a2: together }],
    ["anti-affinity of others elsewhere", { affinity: avoids(term({ namespaces: ["other"] })) }, {}],
  ];
  test.each(cases)("%s", (_, shape, rejections) => expect(rejectionsBy(interPodAffinity(undefined, handleOf()), pod("p", shape), state)).toEqual(rejections));

  test("pods that are there keep those away that they avoid", () => {
    const withLoner = cluster(nodes, [on("a1", "loner", { affinity: avoids(term()) })]);
    expect(rejectionsBy(interPodAffinity(undefined, handleOf()), pod("p", { labels: web }), withLoner)).toEqual({ a1: refused, a2: refused });
    expect(rejectionsBy(interPodAffinity(undefined, handleOf()), pod("p", { labels: { app: "db" } }), withLoner)).toEqual({});
    withLoner.removePod("loner");
    expect(rejectionsBy(interPodAffinity(undefined, handleOf()), pod("p", { labels: web }), withLoner)).toEqual({});
  });
  test("preferences of the pod", () => {
    const prefers = { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 10, podAffinityTerm: term() }] };
    expect(scoresBy(interPodAffinity(undefined, handleOf()), pod("p", { affinity: { podAffinity: prefers } }), state)).toEqual({ a1: 100, a2: 100, b1: 0 });
    expect(scoresBy(interPodAffinity(undefined, handleOf()), pod("p", { affinity: { podAntiAffinity: prefers } }), state)).toEqual({ a1: 0, a2: 0, b1: 100 });
  });
  test("and of those that are there", () => {
    const friendly = cluster(nodes, [on("b1", "1", { affinity: requires(term()) })]);
    expect(scoresBy(interPodAffinity(undefined, handleOf()), pod("p", { labels: web }), friendly)).toEqual({ a1: 0, a2: 0, b1: 100 });
  });
});
