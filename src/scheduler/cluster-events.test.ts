import { describe, expect, test } from "bun:test";
import type { Frozen } from "../apimachinery/meta.ts";
import type { Node, Pod, PodStatus } from "../apis/generated/core/v1.ts";
import { concerns, labelOf, needsTheSame, nodeActions, podActions, type ClusterEvent, type EventAction, type EventInterest } from "./cluster-events.ts";
import { node, pod, type NodeShape, type PodShape } from "./testing/cluster.ts";

describe("changes of a node", () => {
  const of = (shape: NodeShape, more: { annotations?: Record<string, string>; status?: Partial<Node["status"]> } = {}): Frozen<Node> => {
    const made = node("n", shape);
    return { ...made, metadata: { ...made.metadata, annotations: more.annotations }, status: { ...made.status, ...more.status } };
  };
  const ready = (status: "True" | "False", heartbeat: string) => ({ conditions: [{ type: "Ready", status, lastHeartbeatTime: heartbeat }] });
  const cases: [name: string, old: Frozen<Node>, current: Frozen<Node>, EventAction[]][] = [
    ["a heartbeat", of({}, { status: ready("True", "1") }), of({}, { status: ready("True", "2") }), []],
    ["more room", of({}), of({ allocatable: { cpu: "8" } }), ["UpdateNodeAllocatable"]],
    ["labels", of({}), of({ labels: { a: "b" } }), ["UpdateNodeLabel"]],
    ["taints", of({ taints: [{ key: "k", effect: "NoSchedule" }] }), of({}), ["UpdateNodeTaint"]],
    ["uncordoned", of({ unschedulable: true }), of({}), ["UpdateNodeTaint"]],
    ["cordoned helps nobody", of({}), of({ unschedulable: true }), []],
    ["a condition", of({}, { status: ready("False", "1") }), of({}, { status: ready("True", "1") }), ["UpdateNodeCondition"]],
    ["annotations", of({}), of({}, { annotations: { a: "b" } }), ["UpdateNodeAnnotation"]],
    ["features", of({}), of({}, { status: { declaredFeatures: ["A"] } }), ["UpdateNodeDeclaredFeature"]],
    ["several at once", of({}), of({ labels: { a: "b" }, taints: [{ key: "k", effect: "NoSchedule" }] }), ["UpdateNodeLabel", "UpdateNodeTaint"]],
  ];
  test.each(cases)("%s", (_, old, current, actions) => expect(nodeActions(old, current)).toEqual(actions));
});

describe("changes of a pod", () => {
  const of = (shape: PodShape = {}, status: PodStatus = {}, generation = 1): Frozen<Pod> => {
    const made = pod("p", shape);
    return { ...made, metadata: { ...made.metadata, generation }, status };
  };
  const cases: [name: string, old: Frozen<Pod>, current: Frozen<Pod>, EventAction[]][] = [
    ["its status", of(), of({}, { phase: "Running" }), ["Update"]],
    ["labels", of(), of({ labels: { a: "b" } }), ["UpdatePodLabel"]],
    ["less room", of({ requests: { cpu: "2" } }), of({ requests: { cpu: "1" } }, {}, 2), ["UpdatePodScaleDown"]],
    ["a resource less", of({ requests: { cpu: "2", memory: "1Gi" } }), of({ requests: { cpu: "2" } }, {}, 2), ["UpdatePodScaleDown"]],
    ["more room", of({ requests: { cpu: "1" } }), of({ requests: { cpu: "2" } }, {}, 2), ["Update"]],
    ["the last gate", of({ schedulingGates: [{ name: "g" }] }), of({}, {}, 2), ["UpdatePodSchedulingGatesEliminated"]],
    ["one of two gates", of({ schedulingGates: [{ name: "g" }, { name: "h" }] }), of({ schedulingGates: [{ name: "h" }] }, {}, 2), ["Update"]],
    ["a toleration", of(), of({ tolerations: [{ operator: "Exists" }] }, {}, 2), ["UpdatePodToleration"]],
    ["a claim made for it", of(), of({}, { resourceClaimStatuses: [{ name: "c", resourceClaimName: "p-c" }] }), ["UpdatePodGeneratedResourceClaim"]],
  ];
  test.each(cases)("%s", (_, old, current, actions) => expect(podActions(old, current)).toEqual(actions));

  test("what a kubelet writes of a running pod takes no more or less", () => {
    expect(needsTheSame(of(), of({}, { phase: "Running", podIP: "10.0.0.1", containerStatuses: [{ name: "main", image: "", imageID: "", ready: true, restartCount: 1 }] }))).toBe(false);
    const running = (restartCount: number, cpu: string): Frozen<Pod> => of({}, { containerStatuses: [{ name: "main", image: "", imageID: "", ready: true, restartCount, allocatedResources: { cpu } }] });
    expect(needsTheSame(running(0, "1"), running(1, "1"))).toBe(true);
    expect(needsTheSame(running(0, "1"), running(0, "2"))).toBe(false);
    expect(needsTheSame(of(), of({}, {}, 2))).toBe(false);
    // Pods that are going don't count where others are spread.
    expect(needsTheSame(of(), { ...of(), metadata: { ...of().metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } })).toBe(false);
    expect(needsTheSame(of(), of({ labels: { a: "b" } }))).toBe(false);
  });
});

describe("what a plugin waits for", () => {
  const event = (resource: ClusterEvent["resource"], action: ClusterEvent["action"]): ClusterEvent => ({ resource, action });
  const cases: [interest: EventInterest, event: ClusterEvent, boolean][] = [
    [{ resource: "Node", actions: ["Add"] }, event("Node", "Add"), true],
    [{ resource: "Node", actions: ["Add"] }, event("Node", "Delete"), false],
    [{ resource: "Node", actions: ["Update"] }, event("Node", "UpdateNodeTaint"), true],
    [{ resource: "Node", actions: ["UpdateNodeLabel"] }, event("Node", "UpdateNodeTaint"), false],
    [{ resource: "Pod", actions: ["Delete"] }, event("AssignedPod", "Delete"), true],
    [{ resource: "Pod", actions: ["Update"] }, event("UnschedulablePod", "UpdatePodLabel"), true],
    [{ resource: "Pod", actions: ["UpdatePodLabel"] }, event("UnschedulablePod", "Update"), false],
    [{ resource: "PersistentVolumeClaim", actions: ["Add"] }, event("PersistentVolume", "Add"), false],
  ];
  test.each(cases.map(([interest, happened, expected]) => [`${interest.resource} ${interest.actions.join()}: ${labelOf(happened)}`, interest, happened, expected] as const))("%s", (_, interest, happened, expected) => expect(concerns(interest, happened)).toBe(expected));
  test("events are labelled as in kube-scheduler's metrics", () => {
    expect([event("AssignedPod", "Delete"), event("storage.k8s.io/CSINode", "Add"), { ...event("*", "All"), label: "ForceActivate" }].map(labelOf)).toEqual(["AssignedPodDelete", "storage.k8s.io/CSINodeAdd", "ForceActivate"]);
  });
});
