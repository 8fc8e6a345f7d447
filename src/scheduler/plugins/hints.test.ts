import { describe, expect, test } from "bun:test";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Affinity, Node, Pod, PodAffinityTerm, TopologySpreadConstraint } from "../../apis/generated/core/v1.ts";
import { concerns, type EventAction } from "../cluster-events.ts";
import type { AnyPlugin } from "../framework.ts";
import { node, pod, type NodeShape, type PodShape } from "../testing/cluster.ts";
import { handleOf } from "../testing/handle.ts";
import { interPodAffinity } from "./inter-pod-affinity.ts";
import { nodeAffinity } from "./node-affinity.ts";
import { nodeDeclaredFeatures } from "./node-declared-features.ts";
import { nodeName } from "./node-name.ts";
import { nodePorts } from "./node-ports.ts";
import { nodeResourcesFit } from "./node-resources-fit.ts";
import { nodeUnschedulable } from "./node-unschedulable.ts";
import { podTopologySpread } from "./pod-topology-spread.ts";
import { taintToleration } from "./taint-toleration.ts";

/** "Queue" when an interest of the plugin covers the event and its hint says so, or it has none; undefined when none covers it. */
function hint<T extends Frozen<Pod> | Frozen<Node>>(plugin: AnyPlugin, resource: "Node" | "AssignedPod" | "UnschedulablePod", action: EventAction, waiting: Frozen<Pod>, old: T | undefined, current: T | undefined): string | undefined {
  const answers = plugin.events!().filter((interest) => concerns(interest, { resource, action })).map((interest) => interest.hint?.(waiting, old as never, current as never) ?? "Queue");
  return answers.includes("Queue") ? "Queue" : answers[0];
}

type NodeCase = [name: string, action: EventAction, wanted: PodShape, old: NodeShape | undefined, current: NodeShape | undefined, expected: string | undefined];
function nodeCases(plugin: AnyPlugin, cases: NodeCase[]): void {
  test.each(cases)("%s", (_, action, wanted, old, current, expected) => {
    expect(hint(plugin, "Node", action, pod("waiting", wanted), old && node("n", old), current && node("n", current))).toBe(expected);
  });
}

type PodCase = [name: string, action: EventAction, wanted: PodShape, old: PodShape | undefined, current: PodShape | undefined, expected: string | undefined];
/** Changes of a pod `other` on a node; of the waiting pod itself where the shape is `self`. */
function podCases(plugin: AnyPlugin, cases: PodCase[]): void {
  test.each(cases)("%s", (_, action, wanted, old, current, expected) => {
    const other = (shape: PodShape | undefined): Frozen<Pod> | undefined => shape && pod(shape.hostname === "self" ? "waiting" : "other", shape);
    expect(hint(plugin, "AssignedPod", action, pod("waiting", wanted), other(old), other(current))).toBe(expected);
  });
}

const on = (shape: PodShape = {}): PodShape => ({ nodeName: "n", ...shape });
const self = (shape: PodShape = {}): PodShape => ({ hostname: "self", ...shape });

describe("NodeResourcesFit", () => {
  const gpu = { requests: { cpu: "2", "example.com/gpu": "1" } };
  nodeCases(nodeResourcesFit(), [
    ["a node with room", "Add", { requests: { cpu: "2" } }, undefined, {}, "Queue"],
    ["a node that is too small", "Add", { requests: { cpu: "5" } }, undefined, {}, "Skip"],
    ["a node without devices", "Add", gpu, undefined, {}, "Skip"],
    ["a node that takes no pods", "Add", {}, undefined, { allocatable: { pods: "0" } }, "Skip"],
    ["more of what is asked for", "UpdateNodeAllocatable", { requests: { cpu: "2" } }, { allocatable: { cpu: "3" } }, {}, "Queue"],
    ["more of something else", "UpdateNodeAllocatable", { requests: { cpu: "2" } }, { allocatable: { memory: "1Gi" } }, {}, "Skip"],
    ["less", "UpdateNodeAllocatable", { requests: { cpu: "2" } }, { allocatable: { cpu: "9" } }, {}, "Skip"],
    ["room for more pods", "UpdateNodeAllocatable", {}, { allocatable: { pods: "1" } }, {}, "Queue"],
    ["devices come", "UpdateNodeAllocatable", gpu, {}, { allocatable: { "example.com/gpu": "1" } }, "Queue"],
    ["labels don't matter", "UpdateNodeLabel", {}, {}, {}, undefined],
  ]);
  podCases(nodeResourcesFit(), [
    ["a pod on a node goes", "Delete", {}, on(), undefined, "Queue"],
    ["a pod that waits goes", "Delete", {}, {}, undefined, "Skip"],
    ["a pod on a node asks for less", "UpdatePodScaleDown", { requests: { cpu: "1" } }, on({ requests: { cpu: "2" } }), on({ requests: { cpu: "1" } }), "Queue"],
    ["for less of something else", "UpdatePodScaleDown", { requests: { cpu: "1" } }, on({ requests: { memory: "2" } }), on({ requests: { memory: "1" } }), "Skip"],
    ["a pod without a node asks for less", "UpdatePodScaleDown", { requests: { cpu: "1" } }, { requests: { cpu: "2" } }, { requests: { cpu: "1" } }, "Skip"],
    ["the pod itself asks for less", "UpdatePodScaleDown", { requests: { cpu: "1" } }, self({ requests: { cpu: "2" } }), self({ requests: { cpu: "1" } }), "Queue"],
    ["a new pod takes room", "Add", {}, undefined, on(), undefined],
  ]);
});

describe("NodeAffinity", () => {
  const ssd: PodShape = { nodeSelector: { disk: "ssd" } };
  nodeCases(nodeAffinity(), [
    ["a node that matches", "Add", ssd, undefined, { labels: { disk: "ssd" } }, "Queue"],
    ["a node that doesn't", "Add", ssd, undefined, {}, "Skip"],
    ["a node begins to match", "UpdateNodeLabel", ssd, {}, { labels: { disk: "ssd" } }, "Queue"],
    ["a node that matched", "UpdateNodeLabel", ssd, { labels: { disk: "ssd" } }, { labels: { disk: "ssd", more: "" } }, "Skip"],
    ["taints don't matter", "UpdateNodeTaint", ssd, {}, { labels: { disk: "ssd" } }, undefined],
  ]);
  const onlyPool = nodeAffinity({ addedAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: "pool", operator: "Exists" }] }] } } });
  nodeCases(onlyPool, [
    ["the profile's own affinity", "Add", ssd, undefined, { labels: { disk: "ssd" } }, "Skip"],
    ["both", "Add", ssd, undefined, { labels: { disk: "ssd", pool: "a" } }, "Queue"],
  ]);
});

describe("TaintToleration, NodeUnschedulable, NodeName and NodeDeclaredFeatures", () => {
  const taints = [{ key: "k", effect: "NoSchedule" as const }], tolerations = [{ key: "k", operator: "Exists" as const }];
  nodeCases(taintToleration, [
    ["a node without taints", "Add", {}, undefined, {}, "Queue"],
    ["a tainted node", "Add", {}, undefined, { taints }, "Skip"],
    ["a tainted node that is tolerated", "Add", { tolerations }, undefined, { taints }, "Queue"],
    ["a taint goes", "UpdateNodeTaint", {}, { taints }, {}, "Queue"],
    ["another taint goes", "UpdateNodeTaint", {}, { taints: [...taints, { key: "j", effect: "NoSchedule" }] }, { taints }, "Skip"],
    ["a taint goes that kept nobody out", "UpdateNodeTaint", {}, { taints: [{ key: "k", effect: "PreferNoSchedule" }] }, {}, "Skip"],
  ]);
  podCases(taintToleration, [
    ["the pod tolerates more", "UpdatePodToleration", {}, self(), self({ tolerations }), "Queue"],
    ["another pod does", "UpdatePodToleration", {}, on(), on({ tolerations }), "Skip"],
  ]);
  nodeCases(nodeUnschedulable, [
    ["a node that takes pods", "Add", {}, undefined, {}, "Queue"],
    ["a cordoned node", "Add", {}, undefined, { unschedulable: true }, "Skip"],
    ["uncordoned", "UpdateNodeTaint", {}, { unschedulable: true }, {}, "Queue"],
    ["was open already", "UpdateNodeTaint", {}, { taints }, {}, "Skip"],
  ]);
  podCases(nodeUnschedulable, [
    ["the pod tolerates cordons", "UpdatePodToleration", {}, self(), self({ tolerations: [{ key: "node.kubernetes.io/unschedulable", operator: "Exists" }] }), "Queue"],
    ["the pod tolerates something else", "UpdatePodToleration", {}, self(), self({ tolerations }), "Skip"],
  ]);
  nodeCases(nodeName, [["any new node", "Add", {}, undefined, {}, "Queue"], ["no change of one", "UpdateNodeLabel", {}, {}, {}, undefined]]);
  test("features that a node declares anew", () => {
    const declaring = (...declaredFeatures: string[]): Frozen<Node> => ({ ...node("n"), status: { declaredFeatures } });
    expect(hint(nodeDeclaredFeatures, "Node", "UpdateNodeDeclaredFeature", pod("p"), declaring(), declaring("A"))).toBe("Queue");
    expect(hint(nodeDeclaredFeatures, "Node", "UpdateNodeDeclaredFeature", pod("p"), declaring("A"), declaring("A"))).toBe("Skip");
  });
});

describe("NodePorts", () => {
  const port = (hostPort: number, hostIP?: string): PodShape => ({ hostPorts: [{ hostPort, hostIP }] });
  podCases(nodePorts, [
    ["the port is free again", "Delete", port(80), on(port(80)), undefined, "Queue"],
    ["another port", "Delete", port(80), on(port(81)), undefined, "Skip"],
    ["another address", "Delete", port(80, "127.0.0.1"), on(port(80, "127.0.0.2")), undefined, "Skip"],
    ["all addresses", "Delete", port(80, "127.0.0.1"), on(port(80)), undefined, "Queue"],
    ["a pod that had no node", "Delete", port(80), port(80), undefined, "Skip"],
    ["a pod without ports", "Delete", port(80), on(), undefined, "Skip"],
  ]);
  nodeCases(nodePorts, [["a new node", "Add", port(80), undefined, {}, "Queue"]]);
});

const zone = "topology.kubernetes.io/zone", labelSelector = { matchLabels: { app: "web" } }, web = { app: "web" };
const inZone = (value: string): NodeShape => ({ labels: { [zone]: value } });

describe("PodTopologySpread", () => {
  const plugin = podTopologySpread(undefined, handleOf());
  const spread = (more: Partial<TopologySpreadConstraint> = {}): PodShape => ({ topologySpreadConstraints: [{ maxSkew: 1, topologyKey: zone, whenUnsatisfiable: "DoNotSchedule", labelSelector, ...more }] });
  podCases(plugin, [
    ["a pod that counts comes", "Add", spread(), undefined, on({ labels: web }), "Queue"],
    ["one that doesn't", "Add", spread(), undefined, on(), "Skip"],
    ["one of another namespace", "Add", spread(), undefined, on({ labels: web, namespace: "other" }), "Skip"],
    ["one that waits", "Add", spread(), undefined, { labels: web }, "Skip"],
    ["a pod that counts goes", "Delete", spread(), on({ labels: web }), undefined, "Queue"],
    ["one that doesn't goes", "Delete", spread(), on(), undefined, "Skip"],
    ["a pod begins to count", "UpdatePodLabel", spread(), on(), on({ labels: web }), "Queue"],
    ["labels that don't matter", "UpdatePodLabel", spread(), on({ labels: web }), on({ labels: { ...web, more: "" } }), "Skip"],
    ["the pod tolerates more, and taints matter", "UpdatePodToleration", spread({ nodeTaintsPolicy: "Honor" }), self(), self({ tolerations: [{ operator: "Exists" }] }), "Queue"],
    ["and they don't", "UpdatePodToleration", spread(), self(), self({ tolerations: [{ operator: "Exists" }] }), "Skip"],
  ]);
  nodeCases(plugin, [
    ["a node with the key", "Add", spread(), undefined, inZone("a"), "Queue"],
    ["a node without", "Add", spread(), undefined, {}, "Skip"],
    ["a node with the key goes", "Delete", spread(), inZone("a"), undefined, "Queue"],
    ["a node without goes", "Delete", spread(), {}, undefined, "Skip"],
    ["a node gets the key", "UpdateNodeLabel", spread(), {}, inZone("a"), "Queue"],
    ["a node moves", "UpdateNodeLabel", spread(), inZone("a"), inZone("b"), "Queue"],
    ["other labels", "UpdateNodeLabel", spread(), inZone("a"), { labels: { [zone]: "a", more: "" } }, "Skip"],
    ["taints of a node with the key", "UpdateNodeTaint", spread(), { ...inZone("a"), taints: [{ key: "k", effect: "NoSchedule" }] }, inZone("a"), "Queue"],
    ["taints of one without", "UpdateNodeTaint", spread(), { taints: [{ key: "k", effect: "NoSchedule" }] }, {}, "Skip"],
  ]);
});

describe("InterPodAffinity", () => {
  const plugin = interPodAffinity(undefined, handleOf([], { default: {}, other: { team: "x" } }));
  const term = (more: Partial<PodAffinityTerm> = {}): PodAffinityTerm => ({ topologyKey: zone, labelSelector, ...more });
  const wants = (...terms: PodAffinityTerm[]): PodShape => ({ affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } } as Affinity });
  const avoids = (...terms: PodAffinityTerm[]): PodShape => ({ affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } } as Affinity });
  podCases(plugin, [
    ["who is wanted comes", "Add", wants(term()), undefined, on({ labels: web }), "Queue"],
    ["somebody else comes", "Add", wants(term()), undefined, on(), "Skip"],
    ["who matches one term of two", "Add", wants(term(), term({ labelSelector: { matchLabels: { tier: "a" } } })), undefined, on({ labels: web }), "Skip"],
    ["who is wanted waits too", "Add", wants(term()), undefined, { labels: web }, "Skip"],
    ["who is wanted comes to another namespace", "Add", wants(term()), undefined, on({ labels: web, namespace: "other" }), "Skip"],
    ["to one that the term selects", "Add", wants(term({ namespaceSelector: { matchLabels: { team: "x" } } })), undefined, on({ labels: web, namespace: "other" }), "Queue"],
    ["becomes who is wanted", "UpdatePodLabel", wants(term()), on(), on({ labels: web }), "Queue"],
    ["ceases to be who is avoided", "UpdatePodLabel", avoids(term()), on({ labels: web }), on(), "Queue"],
    ["becomes who is avoided", "UpdatePodLabel", avoids(term()), on(), on({ labels: web }), "Skip"],
    ["the pod's own labels", "UpdatePodLabel", wants(term()), self(), self({ labels: web }), "Queue"],
    ["who is avoided goes", "Delete", avoids(term()), on({ labels: web }), undefined, "Queue"],
    ["who avoids it goes", "Delete", { labels: web }, on(avoids(term())), undefined, "Queue"],
    ["who is wanted goes", "Delete", wants(term()), on({ labels: web }), undefined, "Skip"],
  ]);
  nodeCases(plugin, [
    ["wanted: a node with the key", "Add", wants(term()), undefined, inZone("a"), "Queue"],
    ["wanted: a node without", "Add", wants(term()), undefined, {}, "Skip"],
    ["avoided: any new node", "Add", avoids(term()), undefined, {}, "Queue"],
    ["wanted: gets the key", "UpdateNodeLabel", wants(term()), {}, inZone("a"), "Queue"],
    ["wanted: loses it", "UpdateNodeLabel", wants(term()), inZone("a"), {}, "Skip"],
    ["avoided: loses it", "UpdateNodeLabel", avoids(term()), inZone("a"), {}, "Queue"],
    ["avoided: gets it", "UpdateNodeLabel", avoids(term()), {}, inZone("a"), "Skip"],
    ["a node moves", "UpdateNodeLabel", avoids(term()), inZone("a"), inZone("b"), "Queue"],
    ["other labels", "UpdateNodeLabel", wants(term()), inZone("a"), { labels: { [zone]: "a", more: "" } }, "Skip"],
  ]);
});
