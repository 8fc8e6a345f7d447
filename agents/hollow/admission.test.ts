import { describe, expect, test } from "bun:test";
import type { Pod, PodSpec } from "../../src/apis/generated/core/v1.ts";
import { NodeRoom } from "./admission.ts";

const allocatable = { cpu: "1", memory: "1Gi", pods: "3", "example.com/foo": "1" };
let next = 0;
const pod = (requests: Record<string, string> = {}, spec: Partial<PodSpec> = {}): Pod => ({ metadata: { name: "p", uid: String(next++) }, spec: { containers: [{ name: "c", image: "i", resources: { requests } }], ...spec } });
const withPort = (hostPort: number, rest: { hostIP?: string; protocol?: "TCP" | "UDP" } = {}): Pod => pod({}, { containers: [{ name: "c", image: "i", ports: [{ containerPort: 80, hostPort, ...rest }] }] });

describe("a node takes a pod that was bound to it", () => {
  const cases: [string, Pod[], Pod, ReturnType<NodeRoom["refusal"]>][] = [
    ["when there is room", [pod({ cpu: "500m" })], pod({ cpu: "500m", memory: "1Gi" }), undefined],
    ["unless CPU is short", [pod({ cpu: "700m" })], pod({ cpu: "500m" }), { reason: "OutOfcpu", message: "Node didn't have enough resource: cpu, requested: 500, used: 700, capacity: 1000" }],
    ["unless memory is short", [], pod({ memory: "2Gi" }), { reason: "OutOfmemory", message: "Node didn't have enough resource: memory, requested: 2147483648, used: 0, capacity: 1073741824" }],
    ["unless it has its number", [pod(), pod(), pod()], pod(), { reason: "OutOfpods", message: "Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3" }],
    ["unless a device is taken", [pod({ "example.com/foo": "1" })], pod({ "example.com/foo": "1" }), { reason: "OutOfexample.com/foo", message: "Node didn't have enough resource: example.com/foo, requested: 1, used: 1, capacity: 1" }],
    ["whatever cluster-wide resource it asks for", [], pod({ "example.com/elsewhere": "5" }), undefined],
    ["unless its port is taken", [withPort(80)], withPort(80, { hostIP: "10.0.0.1" }), { reason: "NodePorts", message: "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports" }],
    ["with a port of another protocol", [withPort(53)], withPort(53, { protocol: "UDP" }), undefined],
    ["with a port of another address", [withPort(80, { hostIP: "10.0.0.2" })], withPort(80, { hostIP: "10.0.0.1" }), undefined],
  ];
  test.each(cases)("%s", (_, there, candidate, refusal) => {
    const room = new NodeRoom();
    for (const other of there) room.take(other);
    expect(room.refusal(candidate, allocatable)).toEqual(refusal);
    for (const other of there) room.release(other.metadata.uid!);
    if (!refusal || there.length > 0) expect(room.refusal(candidate, allocatable)).toBeUndefined();
  });
});
