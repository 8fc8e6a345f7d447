import { describe, expect, test } from "bun:test";
import { pods } from "../../../apis/builtins.ts";
import type { Container, Node, Pod, PodSpec } from "../../../apis/generated/core/v1.ts";
import { attributesOf, listersOf, run } from "../../testing/admission.ts";
import { nodeDeclaredFeatureValidator, podResizeValidator } from "./pod-changes.ts";

const node = (more: Partial<Node["status"]> = {}, labels: Record<string, string> = {}): Node => ({ metadata: { name: "n", labels }, status: { allocatable: { cpu: "2", memory: "1Gi" }, ...more } } as Node);
const container = (cpu: string, memory = "1Mi", more: Partial<Container> = {}): Container => ({ name: "c", image: "i", resources: { requests: { cpu, memory } }, ...more });
const pod = (spec: Partial<PodSpec>): Pod => ({ metadata: { name: "p", namespace: "ns" }, spec: { nodeName: "n", containers: [container("1")], ...spec } });
const listers = (one: Node) => listersOf({ nodes: [one] });
const asked = (object: Pod, old: Pod = pod({})) => attributesOf(pods, { operation: "UPDATE", subresource: "resize", object, oldObject: old });

describe("PodResizeValidator", () => {
  const tooMuch = "403 pods \"p\" is forbidden: node didn't have enough allocatable resources: ";
  test.each<[string, Pod, Node, string]>([
    ["what fits", pod({ containers: [container("2", "1Gi")] }), node(), ""],
    ["too much CPU", pod({ containers: [container("2001m")] }), node(), `${tooMuch}cpu, requested: 2001, allocatable: 2000`],
    ["too much of both", pod({ containers: [container("3", "2Gi")] }), node(), `${tooMuch}cpu, requested: 3000, allocatable: 2000; memory, requested: 2147483648, allocatable: 1073741824`],
    ["pods on no node", pod({ nodeName: "", containers: [container("9")] }), node(), ""],
    ["the same", pod({}), node({ allocatable: {} }), ""],
    ["another system", pod({ containers: [container("2")] }), node({}, { "kubernetes.io/os": "windows" }), '403 pods "p" is forbidden: pod resize is only supported on linux nodes, node "n" is "windows"'],
    ["a node that is gone", pod({ nodeName: "x", containers: [container("2")] }), node(), '403 pods "p" is forbidden: node "x" not found'],
  ])("%s", async (_, object, on, expected) => {
    expect(await run(podResizeValidator({ listers: listers(on) }), asked(object))).toBe(expected);
  });
});

describe("NodeDeclaredFeatureValidator", () => {
  const init = (cpu: string, more: Partial<Container> = {}): Pod => pod({ initContainers: [container(cpu, "1Mi", { name: "i", ...more })] });
  const plugin = (features: string[]) => nodeDeclaredFeatureValidator({ listers: listers(node({ declaredFeatures: features })) });
  test.each<[string, Pod, Pod, string[], string]>([
    ["containers alone need nothing", pod({ containers: [container("2")] }), pod({}), [], ""],
    ["init containers do", init("2"), init("1"), [], '403 pods "p" is forbidden: pod update requires features InPlacePodVerticalScalingInitContainers which are not available on node "n"'],
    ["which a node may declare", init("2"), init("1"), ["InPlacePodVerticalScalingInitContainers"], ""],
    ["sidecars don't", init("2", { restartPolicy: "Always" }), init("1", { restartPolicy: "Always" }), [], ""],
    ["the pod as a whole does", pod({ resources: { requests: { cpu: "2" } } }), pod({ resources: { requests: { cpu: "1" } } }), ["Other"], '403 pods "p" is forbidden: pod update requires features InPlacePodLevelResourcesVerticalScaling which are not available on node "n"'],
  ])("%s", async (_, object, old, features, expected) => {
    expect(await run(plugin(features), asked(object, old))).toBe(expected);
  });
});
