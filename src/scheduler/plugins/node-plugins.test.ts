import { describe, expect, test } from "bun:test";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { NodeSelectorTerm, Pod, Toleration } from "../../apis/generated/core/v1.ts";
import { unresolvable, type AnyPlugin } from "../framework.ts";
import { cluster, node, pod, rejectionsBy, scoresBy, type NodeShape, type PodShape } from "../testing/cluster.ts";
import { handleOf } from "../testing/handle.ts";
import { imageLocality } from "./image-locality.ts";
import { nodeAffinity } from "./node-affinity.ts";
import { nodeName } from "./node-name.ts";
import { nodePorts } from "./node-ports.ts";
import { balancedAllocation } from "./node-resources-balanced-allocation.ts";
import { nodeResourcesFit } from "./node-resources-fit.ts";
import { nodeUnschedulable } from "./node-unschedulable.ts";
import { schedulingGates } from "./scheduling-gates.ts";
import { taintToleration } from "./taint-toleration.ts";

/** What a plugin says of a node "n", `undefined` when the pod can go there. */
function says(plugin: AnyPlugin, shape: PodShape, on: NodeShape = {}, others: readonly Frozen<Pod>[] = []): string | undefined {
  const rejections = rejectionsBy(plugin, pod("wanted", shape), cluster([node("n", on)], others));
  return rejections.n ?? rejections["*"];
}

describe("NodeUnschedulable, NodeName and SchedulingGates", () => {
  test("a cordoned node takes pods that tolerate that", () => {
    expect(says(nodeUnschedulable, {})).toBeUndefined();
    expect(says(nodeUnschedulable, {}, { unschedulable: true })).toBe("node(s) were unschedulable (for good)");
    expect(says(nodeUnschedulable, { tolerations: [{ key: "node.kubernetes.io/unschedulable", operator: "Exists" }] }, { unschedulable: true })).toBeUndefined();
  });
  test("a named node is the only one", () => {
    expect(says(nodeName, { nodeName: "n" })).toBeUndefined();
    expect(says(nodeName, { nodeName: "other" })).toBe("node(s) didn't match the requested node name (for good)");
  });
  test("gates keep a pod out", () => {
    expect(schedulingGates.preEnqueue!(pod("p"))).toBeUndefined();
    expect(schedulingGates.preEnqueue!(pod("p", { schedulingGates: [{ name: "a" }, { name: "b" }] }))).toEqual(unresolvable("waiting for scheduling gates: [a b]"));
  });
});

describe("TaintToleration", () => {
  const untolerated = "node(s) had untolerated taint(s) (for good)";
  const cases: [name: string, tolerations: Toleration[], rejection: string | undefined][] = [
    ["none", [], untolerated],
    ["equal", [{ key: "k", operator: "Equal", value: "v", effect: "NoSchedule" }], undefined],
    ["equal is the default", [{ key: "k", value: "v" }], undefined],
    ["another value", [{ key: "k", value: "w" }], untolerated],
    ["another key", [{ key: "j", value: "v" }], untolerated],
    ["another effect", [{ key: "k", value: "v", effect: "NoExecute" }], untolerated],
    ["exists", [{ key: "k", operator: "Exists" }], undefined],
    ["everything", [{ operator: "Exists" }], undefined],
  ];
  test.each(cases)("%s", (_, tolerations, rejection) => {
    expect(says(taintToleration, { tolerations }, { taints: [{ key: "k", value: "v", effect: "NoSchedule" }] })).toBe(rejection);
  });
  test("NoExecute keeps out, PreferNoSchedule doesn't", () => {
    expect(says(taintToleration, {}, { taints: [{ key: "k", effect: "NoExecute" }] })).toBe(untolerated);
    expect(says(taintToleration, {}, { taints: [{ key: "k", effect: "PreferNoSchedule" }] })).toBeUndefined();
  });
  test("fewer PreferNoSchedule taints are better", () => {
    const prefer = (key: string) => ({ key, effect: "PreferNoSchedule" as const });
    const state = cluster([node("none"), node("one", { taints: [prefer("a")] }), node("two", { taints: [prefer("a"), prefer("b")] })]);
    expect(scoresBy(taintToleration, pod("p"), state)).toEqual({ none: 100, one: 50, two: 0 });
    expect(scoresBy(taintToleration, pod("p", { tolerations: [{ key: "a", operator: "Exists" }] }), state)).toEqual({ none: 100, one: 100, two: 0 });
  });
});

describe("NodeAffinity", () => {
  const mismatch = "node(s) didn't match Pod's node affinity/selector (for good)";
  const requires = (...nodeSelectorTerms: NodeSelectorTerm[]): PodShape => ({ affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } } });
  const expression = (key: string, operator: "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt", ...values: string[]): NodeSelectorTerm => ({ matchExpressions: [{ key, operator, ...(values.length ? { values } : {}) }] });
  const field = (operator: "In" | "NotIn", ...values: string[]): NodeSelectorTerm => ({ matchFields: [{ key: "metadata.name", operator, values }] });
  const cases: [name: string, PodShape, string | undefined][] = [
    ["selector", { nodeSelector: { disk: "ssd" } }, undefined],
    ["selector, other value", { nodeSelector: { disk: "hdd" } }, mismatch],
    ["in", requires(expression("disk", "In", "hdd", "ssd")), undefined],
    ["not in", requires(expression("disk", "NotIn", "ssd")), mismatch],
    ["not in, absent", requires(expression("gpu", "NotIn", "x")), undefined],
    ["exists", requires(expression("disk", "Exists")), undefined],
    ["does not exist", requires(expression("disk", "DoesNotExist")), mismatch],
    ["greater", requires(expression("cores", "Gt", "7")), undefined],
    ["less", requires(expression("cores", "Lt", "8")), mismatch],
    ["terms are alternatives", requires(expression("disk", "In", "hdd"), expression("disk", "In", "ssd")), undefined],
    ["requirements of a term aren't", requires({ matchExpressions: [...expression("disk", "Exists").matchExpressions!, ...expression("gpu", "Exists").matchExpressions!] }), mismatch],
    ["an empty term matches nothing", requires({}), mismatch],
    ["selector and affinity", { ...requires(expression("disk", "Exists")), nodeSelector: { disk: "hdd" } }, mismatch],
    ["name", requires(field("In", "n")), undefined],
    ["not that name", requires(field("NotIn", "n")), mismatch],
    ["two names in one term", requires({ matchFields: [...field("In", "n").matchFields!, ...field("In", "m").matchFields!] }), "pod affinity terms conflict"],
  ];
  test.each(cases)("%s", (_, shape, rejection) => {
    expect(says(nodeAffinity(), shape, { labels: { disk: "ssd", cores: "8" } })).toBe(rejection);
  });
  test("preferences add up", () => {
    const preferredDuringSchedulingIgnoredDuringExecution = [{ weight: 30, preference: expression("disk", "In", "ssd") }, { weight: 10, preference: expression("zone", "Exists") }];
    const state = cluster([node("both", { labels: { disk: "ssd", zone: "a" } }), node("one", { labels: { zone: "a" } }), node("none")]);
    expect(scoresBy(nodeAffinity(), pod("p", { affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution } } }), state)).toEqual({ both: 100, one: 25, none: 0 });
  });
});

describe("NodePorts", () => {
  const taken = "node(s) didn't have free ports for the requested pod ports";
  type Ports = NonNullable<PodShape["hostPorts"]>;
  const cases: [name: string, wanted: Ports, used: Ports, rejection: string | undefined][] = [
    ["another port", [{ hostPort: 80 }], [{ hostPort: 81 }], undefined],
    ["the same", [{ hostPort: 80 }], [{ hostPort: 80 }], taken],
    ["another protocol", [{ hostPort: 80, protocol: "UDP" }], [{ hostPort: 80 }], undefined],
    ["another address", [{ hostPort: 80, hostIP: "127.0.0.1" }], [{ hostPort: 80, hostIP: "127.0.0.2" }], undefined],
    ["all addresses wanted", [{ hostPort: 80 }], [{ hostPort: 80, hostIP: "127.0.0.1" }], taken],
    ["all addresses used", [{ hostPort: 80, hostIP: "127.0.0.1" }], [{ hostPort: 80, hostIP: "0.0.0.0" }], taken],
  ];
  test.each(cases)("%s", (_, hostPorts, used, rejection) => {
    expect(says(nodePorts, { hostPorts }, {}, [pod("other", { nodeName: "n", hostPorts: used })])).toBe(rejection);
  });
  test("a port is free again when its pod goes", () => {
    const state = cluster([node("n")], [pod("a", { nodeName: "n", hostPorts: [{ hostPort: 80 }] })]);
    state.removePod("a");
    expect(rejectionsBy(nodePorts, pod("p", { hostPorts: [{ hostPort: 80 }] }), state)).toEqual({});
  });
});

describe("NodeResourcesFit", () => {
  const container = (cpu: string, more: object = {}) => ({ name: cpu, image: "i", resources: { requests: { cpu } }, ...more });
  const sidecar = (cpu: string) => container(cpu, { restartPolicy: "Always" });
  const cases: [name: string, PodShape, rejection: string | undefined][] = [
    ["nothing asked", {}, undefined],
    ["just fits beside the other", { requests: { cpu: "3" } }, undefined],
    ["too much beside the other", { requests: { cpu: "3001m" } }, "Insufficient cpu"],
    ["more than there is", { requests: { cpu: "4001m" } }, "Insufficient cpu (for good)"],
    ["several reasons", { requests: { cpu: "3500m", memory: "7Gi", "example.com/gpu": "1" } }, "Insufficient cpu, Insufficient memory, Insufficient example.com/gpu (for good)"],
    ["storage", { requests: { "ephemeral-storage": "1Gi" } }, "Insufficient ephemeral-storage (for good)"],
    ["overhead", { requests: { cpu: "3" }, overhead: { cpu: "1m" } }, "Insufficient cpu"],
    ["the pod's own requests stand for its containers'", { requests: { cpu: "1" }, resources: { requests: { cpu: "3500m" } } }, "Insufficient cpu"],
    ["init containers run one by one", { initContainers: [container("3"), container("3")], requests: { cpu: "1" } }, undefined],
    ["the largest init container counts", { initContainers: [container("3500m")], requests: { cpu: "1" } }, "Insufficient cpu"],
    ["sidecars run beside the containers", { initContainers: [sidecar("2")], requests: { cpu: "1500m" } }, "Insufficient cpu"],
    ["and beside later init containers", { initContainers: [sidecar("1"), container("2500m")] }, "Insufficient cpu"],
    ["but not beside earlier ones", { initContainers: [container("2500m"), sidecar("1")] }, undefined],
  ];
  const other = pod("other", { nodeName: "n", requests: { cpu: "1", memory: "2Gi" } });
  test.each(cases)("%s", (_, shape, rejection) => expect(says(nodeResourcesFit(), shape, {}, [other])).toBe(rejection));
  test("pods are counted", () => {
    expect(says(nodeResourcesFit(), {}, { allocatable: { pods: "1" } }, [other])).toBe("Too many pods");
    expect(says(nodeResourcesFit(), {}, { allocatable: { "example.com/gpu": "1" } })).toBeUndefined();
  });
  test("extended resources are given out once", () => {
    const shape = { requests: { "example.com/gpu": "1" } };
    expect(says(nodeResourcesFit(), shape, { allocatable: { "example.com/gpu": "1" } }, [pod("o", { nodeName: "n", ...shape })])).toBe("Insufficient example.com/gpu");
  });
  test("the emptier node is better; containers without requests count a little", () => {
    const state = cluster([node("empty"), node("half")], [pod("o", { nodeName: "half", requests: { cpu: "2", memory: "4Gi" } })]);
    expect(scoresBy(nodeResourcesFit(), pod("p", { requests: { cpu: "1", memory: "2Gi" } }), state)).toEqual({ empty: 75, half: 25 });
    expect(scoresBy(nodeResourcesFit(), pod("p"), cluster([node("n")]))).toEqual({ n: 97 });
  });
  test("like shares are better", () => {
    const state = cluster([node("even"), node("cpu")], [pod("a", { nodeName: "even", requests: { cpu: "1", memory: "2Gi" } }), pod("b", { nodeName: "cpu", requests: { cpu: "2" } })]);
    expect(scoresBy(balancedAllocation(), pod("p", { requests: { cpu: "1", memory: "2Gi" } }), state)).toEqual({ even: 75, cpu: 75 });
    expect(scoresBy(balancedAllocation(), pod("p", { requests: { memory: "4Gi" } }), state)).toEqual({ even: 62, cpu: 87 });
  });
});

describe("ImageLocality", () => {
  const megabytes = (mb: number, ...names: string[]) => ({ names, sizeBytes: mb * 1024 * 1024 });
  const uses = (image: string): PodShape => ({ containers: [{ name: "main", image }] });
  test("prefers nodes that have large images that others have too", () => {
    const state = cluster([
      node("large", { images: [megabytes(512, "db:1", "db@sha256:1")] }), node("other", { images: [megabytes(512, "db:2")] }), node("too", { images: [megabytes(512, "db:1")] }), node("none"),
    ]);
    // Half of the nodes have it: (256 - 23) of (1000 - 23) MB.
    expect(scoresBy(imageLocality(undefined, handleOf()), pod("p", uses("db:1")), state)).toEqual({ large: 23, other: 0, too: 23, none: 0 });
  });
  test("a name without a tag means latest; small images don't count", () => {
    expect(scoresBy(imageLocality(undefined, handleOf()), pod("p", uses("host:5000/db")), cluster([node("n", { images: [megabytes(2000, "host:5000/db:latest")] })]))).toEqual({ n: 100 });
    expect(scoresBy(imageLocality(undefined, handleOf()), pod("p", uses("db:1")), cluster([node("n", { images: [megabytes(20, "db:1")] })]))).toEqual({ n: 0 });
  });
});
