import { describe, expect, test } from "bun:test";
import type { Pod, PodSpec } from "../../../src/apis/generated/core/v1.ts";
import { NodeRoom, type AdmittingNode } from "./admission.ts";

const node: AdmittingNode = {
  name: "node-1", labels: { disk: "ssd" }, taints: [{ key: "out", effect: "NoExecute" }, { key: "full", effect: "NoSchedule" }],
  allocatable: { cpu: "1", memory: "1Gi", pods: "3", "example.com/foo": "1" }, supplementalGroupsPolicy: false, appArmor: false,
};
let next = 0;
const tolerations = [{ key: "out", operator: "Exists" as const }];
const pod = (requests: Record<string, string> = {}, spec: Partial<PodSpec> = {}): Pod => ({ metadata: { name: "p", uid: String(next++) }, spec: { nodeName: "node-1", tolerations, containers: [{ name: "c", image: "i", resources: { requests } }], ...spec } });
const withPort = (hostPort: number, rest: { hostIP?: string; protocol?: "TCP" | "UDP" } = {}): Pod => pod({}, { containers: [{ name: "c", image: "i", ports: [{ containerPort: 80, hostPort, ...rest }] }] });
const initPort = (hostPort: number, restartPolicy?: "Always"): Pod => pod({}, { initContainers: [{ name: "i", image: "i", ports: [{ containerPort: 80, hostPort }], ...(restartPolicy ? { restartPolicy } : {}) }] });
const wantsLabel = (value: string): Partial<PodSpec> => ({ affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: "disk", operator: "In", values: [value] }] }] } } } });

const shortage = (resource: string, [requested, used, capacity]: [number, number, number]) => ({
  reason: `OutOf${resource}`, message: `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`, shortage: { resource, amount: requested + used - capacity },
});
const predicate = (name: string, description: string) => ({ reason: name, message: `Predicate ${name} failed: ${description}` });
const portTaken = predicate("NodePorts", "node(s) didn't have free ports for the requested pod ports");
const otherLabels = predicate("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");

describe("a node takes a pod that was bound to it", () => {
  const cases: [string, Pod[], Pod, ReturnType<NodeRoom["failures"]>][] = [
    ["when there is room", [pod({ cpu: "500m" })], pod({ cpu: "500m", memory: "1Gi" }), []],
    ["unless CPU is short", [pod({ cpu: "700m" })], pod({ cpu: "500m" }), [shortage("cpu", [500, 700, 1000])]],
    ["unless memory is short", [], pod({ memory: "2Gi" }), [shortage("memory", [2147483648, 0, 1073741824])]],
    ["unless it has its number", [pod(), pod(), pod()], pod(), [shortage("pods", [1, 3, 3])]],
    ["unless a device is taken", [pod({ "example.com/foo": "1" })], pod({ "example.com/foo": "1" }), [shortage("example.com/foo", [1, 1, 1])]],
    ["unless it has no such pages", [], pod({ "hugepages-2Mi": "2Mi" }), [shortage("hugepages-2Mi", [2097152, 0, 0])]],
    ["whatever cluster-wide resource it asks for", [], pod({ "example.com/elsewhere": "5" }), []],
    ["when it asks for nothing of what is used up", [pod({ cpu: "1" })], pod({ cpu: "0" }), []],
    ["unless its port is taken", [withPort(80)], withPort(80, { hostIP: "10.0.0.1" }), [portTaken]],
    ["unless a sidecar has its port", [initPort(80, "Always")], withPort(80), [portTaken]],
    ["with a port that served while another began", [initPort(80)], withPort(80), []],
    ["with a port of another protocol", [withPort(53)], withPort(53, { protocol: "UDP" }), []],
    ["with a port of another address", [withPort(80, { hostIP: "10.0.0.2" })], withPort(80, { hostIP: "10.0.0.1" }), []],
    ["with the labels it wants", [], pod({}, { nodeSelector: { disk: "ssd" }, ...wantsLabel("ssd") }), []],
    ["unless it selects others", [], pod({}, { nodeSelector: { disk: "tape" } }), [otherLabels]],
    ["unless it must be on others", [], pod({}, wantsLabel("tape")), [otherLabels]],
    ["unless it names another", [], pod({}, { nodeName: "node-2" }), [predicate("NodeName", "node(s) didn't match the requested node name")]],
    ["unless a taint would drive it away", [], pod({}, { tolerations: [] }), [predicate("TaintToleration", "node(s) had taints that the pod didn't tolerate")]],
    ["unless it is for another system", [], pod({}, { os: { name: "windows" } }), [{ reason: "PodOSNotSupported", message: "Failed to admit pod as the OS field doesn't match node OS" }]],
    ["unless it is labelled for another system", [], { ...pod(), metadata: { name: "p", uid: "windows", labels: { "kubernetes.io/os": "windows" } } }, [{ reason: "PodOSSelectorNodeLabelDoesNotMatch", message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label" }]],
    ["unless its runtime would ignore what it asks for", [], pod({}, { securityContext: { supplementalGroupsPolicy: "Strict" } }), [{ reason: "SupplementalGroupsPolicyNotSupported", message: "SupplementalGroupsPolicy=Strict is not supported in this node" }]],
    ["unless its kernel can't confine it", [], pod({}, { securityContext: { appArmorProfile: { type: "RuntimeDefault" } } }), [{ reason: "AppArmor", message: "Cannot enforce AppArmor: AppArmor is not enabled on the host" }]],
    ["that it does not want to be confined by", [], pod({}, { securityContext: { appArmorProfile: { type: "Unconfined" } } }), []],
    ["unless it would change the kernel for others", [], pod({}, { securityContext: { sysctls: [{ name: "kernel.msgmax", value: "1" }] } }), [{ reason: "SysctlForbidden", message: 'forbidden sysctl: "kernel.msgmax" not allowlisted' }]],
    ["telling of resources first", [withPort(80), pod({ cpu: "1" })], pod({ cpu: "1" }, { nodeSelector: { disk: "tape" }, containers: withPort(80).spec.containers.map((container) => ({ ...container, resources: { requests: { cpu: "1" } } })) }), [shortage("cpu", [1000, 1000, 1000]), otherLabels, portTaken]],
  ];
  test.each(cases)("%s", (_, there, candidate, failures) => {
    const room = new NodeRoom();
    for (const other of there) room.take(other);
    expect(room.failures(candidate, node)).toEqual(failures);
  });

  test("and has room again when pods have gone", () => {
    const room = new NodeRoom(), there = [pod({ cpu: "1" }), withPort(80)];
    for (const other of there) room.take(other);
    expect(room.failures(pod({ cpu: "100m" }), node)).toHaveLength(1);
    expect(room.failures(withPort(80), node)).toHaveLength(1);
    for (const other of there) room.release(other.metadata.uid!);
    expect(room.failures(pod({ cpu: "1" }), node)).toEqual([]);
    expect(room.failures(withPort(80), node)).toEqual([]);
  });

  test("in the order they come: the second of two finds no room", async () => {
    const room = new NodeRoom(), source = { known: () => node, fresh: () => Promise.resolve(node) };
    const [first, second] = [pod({ cpu: "600m" }), pod({ cpu: "600m" })];
    expect(await Promise.all([room.admit(first, source), room.admit(second, source)])).toEqual([[], [shortage("cpu", [600, 600, 1000])]]);
    expect([room.has(first.metadata.uid!), room.has(second.metadata.uid!)]).toEqual([true, false]);
  });

  test("when the label it wants is there, though the node has not heard of it", async () => {
    const room = new NodeRoom(), labelled = { ...node, labels: { zone: "a" } };
    const source = { known: () => node, fresh: () => Promise.resolve(labelled) };
    expect(await room.admit(pod({}, { nodeSelector: { zone: "a" } }), source)).toEqual([]);
    expect(await room.admit(pod({}, { nodeSelector: { zone: "b" } }), source)).toEqual([otherLabels]);
  });
});
