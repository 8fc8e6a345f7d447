import { expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { leases } from "../coordination/lease.ts";
import { configmaps } from "./configmap.ts";
import { endpoints } from "./endpoints.ts";
import { events } from "./event.ts";
import { namespaces } from "./namespace.ts";
import { nodes } from "./node.ts";
import { secrets } from "./secret.ts";
import { serviceaccounts } from "./serviceaccount.ts";
import type { Node, NodeSystemInfo, ServiceAccount } from "../generated/core/v1.ts";
import { anyone } from "../testing/anyone.ts";

const now = Date.parse("2026-01-01T01:00:00Z");
const at = (minutes: number): string => new Date(now - minutes * 60_000).toISOString();
const cells = (card: AnyResource, object: object): unknown[] => {
  card.default?.(object);
  return card.columns.map((column) => column.value(object, now));
};
const errors = (card: AnyResource, object: object): string[] => {
  card.default?.(object);
  return card.strategy.validate!(object).map(render);
};

test.each([
  ["a config map's key", configmaps, { metadata: {}, data: { "a/b": "" } }, ["data[a/b]: Invalid value: \"a/b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"]],
  ["a key in both bags", configmaps, { metadata: {}, data: { a: "" }, binaryData: { a: "" } }, ["data[a]: Invalid value: \"a\": duplicate of key present in binaryData"]],
  ["a config map's size", configmaps, { metadata: {}, data: { a: "x".repeat(1024 * 1024) }, binaryData: { b: "eA==" } }, ["[]: Too long: may not be more than 1048576 bytes"]],
  ["a config map that just fits", configmaps, { metadata: {}, data: { a: "x".repeat(1024 * 1024 - 1) }, binaryData: { b: "eA==" } }, []],
  ["a TLS secret without key", secrets, { metadata: {}, type: "kubernetes.io/tls", data: { "tls.crt": "" } }, ["data[tls.key]: Required value"]],
  ["a docker secret that is no JSON", secrets, { metadata: {}, type: "kubernetes.io/dockerconfigjson", data: { ".dockerconfigjson": "eA==" } }, ["data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": must be a JSON object"]],
  ["basic authentication with nothing", secrets, { metadata: {}, type: "kubernetes.io/basic-auth" }, ["data[username]: Required value", "data[password]: Required value"]],
  ["a token of nobody", secrets, { metadata: {}, type: "kubernetes.io/service-account-token" }, ["metadata.annotations[kubernetes.io/service-account.name]: Required value"]],
  ["an empty subset", endpoints, { metadata: {}, subsets: [{}] }, ["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"]],
  ["a loopback endpoint", endpoints, { metadata: {}, subsets: [{ addresses: [{ ip: "127.0.0.1" }] }] }, ["subsets[0].addresses[0].ip: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)"]],
  ["an event of another namespace", events, { metadata: { namespace: "a" }, involvedObject: { namespace: "b" } }, ["involvedObject.namespace: Invalid value: \"b\": does not match event.namespace"]],
  ["a new event that lacks much", events, { metadata: { namespace: "a" }, involvedObject: { namespace: "a" }, eventTime: at(1), reportingComponent: "example.com/c" }, ["reportingInstance: Required value", "action: Required value", "reason: Required value"]],
  ["a lease for no time", leases, { metadata: {}, spec: { leaseDurationSeconds: 0, leaseTransitions: -1, preferredHolder: "a" } }, ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0", "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0", "spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined"]],
  ["a taint twice", nodes, { metadata: {}, spec: { taints: [{ key: "a", effect: "NoSchedule" }, { key: "a", effect: "NoSchedule" }] } }, ["metadata.taints[1]: Duplicate value: {\"key\":\"a\",\"effect\":\"NoSchedule\"}: taints must be unique by key and effect pair"]],
] as [string, AnyResource, object, string[]][])("%s", (_, card, object, expected) => expect(errors(card, object)).toEqual(expected));

test("what is immutable stays", () => {
  const old = { metadata: {}, immutable: true, data: { a: "1" } };
  expect(configmaps.strategy.validateUpdate!(old, old)).toEqual([]);
  expect(configmaps.strategy.validateUpdate!({ metadata: {}, data: { a: "2" } }, old).map(render)).toEqual(["immutable: Forbidden: field is immutable when `immutable` is set", "data: Forbidden: field is immutable when `immutable` is set"]);
  expect(secrets.strategy.validateUpdate!({ metadata: {}, type: "Opaque" }, { metadata: {}, type: "other" }).map(render)).toEqual(["type: Invalid value: \"Opaque\": field is immutable"]);
  const node = { metadata: {}, spec: { podCIDR: "10.42.0.0/24", podCIDRs: ["10.42.0.0/24"] } };
  expect(nodes.strategy.validateUpdate!({ metadata: {}, spec: {} }, node).map(render)).toEqual(["spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid"]);
});

test.each([
  [{ podCIDR: "10.1.0.0/24" }, ["10.1.0.0/24"]], [{ podCIDRs: ["10.1.0.0/24", "fd00::/64"] }, ["10.1.0.0/24", "fd00::/64"]],
  [{ podCIDR: "10.2.0.0/24", podCIDRs: ["10.1.0.0/24"] }, ["10.2.0.0/24"]],
])("a node's pod networks from %p", (spec, podCIDRs) => {
  const node = { metadata: {}, spec };
  nodes.default!(node);
  expect(node.spec as object).toEqual({ podCIDR: podCIDRs[0]!, podCIDRs });
});

test("stringData becomes data", () => {
  const secret = { metadata: {}, data: { a: "b2xk", b: "Yg==" }, stringData: { a: "new é" } };
  secrets.strategy.prepareForCreate!(secret, anyone);
  expect(secret as object).toEqual({ metadata: {}, data: { a: Buffer.from("new é").toString("base64"), b: "Yg==" } });
});

test("a namespace's life", () => {
  const namespace = { metadata: { name: "team", generation: 1 }, spec: {} };
  namespaces.default!(namespace);
  namespaces.strategy.prepareForCreate!(namespace, anyone);
  expect(namespace as object).toEqual({ metadata: { name: "team", labels: { "kubernetes.io/metadata.name": "team" } }, spec: { finalizers: ["kubernetes"] }, status: { phase: "Active" } });
  const wanted = { metadata: { name: "team" }, spec: { finalizers: [] } };
  namespaces.strategy.prepareForUpdate!(wanted, namespace);
  expect(wanted.spec.finalizers as string[]).toEqual(["kubernetes"]);
  namespaces.strategy.beginDeletion!(namespace);
  expect(cells(namespaces, namespace)).toEqual(["team", "Terminating", "<unknown>"]);
});

test.each([
  ["a node", nodes, { metadata: { name: "n", labels: { "node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/control-plane": "true", "kubernetes.io/role": "edge" } }, spec: { unschedulable: true }, status: { conditions: [{ type: "Ready", status: "True" }], addresses: [{ type: "InternalIP", address: "10.0.0.1" }], nodeInfo: { kubeletVersion: "v1.36.0", osImage: "Debian", kernelVersion: "6.1", architecture: "arm64", containerRuntimeVersion: "containerd://1.6" } } },
    ["n", "Ready,SchedulingDisabled", "control-plane,edge,worker", "<unknown>", "v1.36.0", "10.0.0.1", "<none>", "Debian", "6.1 (arm64)", "containerd://1.6"]],
  ["a node that is gone", nodes, { metadata: { name: "n" }, status: { conditions: [{ type: "Ready", status: "Unknown" }] } }, ["n", "NotReady", "<none>", "<unknown>", "", "<none>", "<none>", "<unknown>", "<unknown>", "<unknown>"]],
  ["endpoints", endpoints, { metadata: { name: "e" }, subsets: [{ addresses: [{ ip: "10.0.0.1" }, { ip: "10.0.0.2" }], ports: [{ port: 1 }, { port: 2 }] }, { addresses: [{ ip: "fd00::1" }], ports: [{ port: 3 }] }] }, ["e", "10.0.0.1:1,10.0.0.2:1,10.0.0.1:2 + 2 more...", "<unknown>"]],
  ["no endpoints", endpoints, { metadata: { name: "e" } }, ["e", "<none>", "<unknown>"]],
  ["an event", events, { metadata: { name: "e.1", namespace: "d" }, involvedObject: { kind: "Pod", name: "p", fieldPath: "spec.containers{c}" }, type: "Warning", reason: "BackOff", message: "Back-off \n", firstTimestamp: at(60), lastTimestamp: at(5), count: 12, source: { component: "kubelet", host: "n1" } },
    ["5m", "Warning", "BackOff", "pod/p", "spec.containers{c}", "kubelet, n1", "Back-off", "60m", 12, "e.1"]],
  ["an event of the newer sort", events, { metadata: { name: "e.2" }, involvedObject: { kind: "Node", name: "n" }, type: "Normal", reason: "Ready", eventTime: at(3), reportingComponent: "skiff", reportingInstance: "n1", series: { count: 4, lastObservedTime: at(1) } },
    ["60s", "Normal", "Ready", "node/n", "", "skiff, n1", "", "3m", 4, "e.2"]],
  ["a secret", secrets, { metadata: { name: "s" }, data: { a: "", b: "" } }, ["s", "Opaque", 2, "<unknown>"]],
] as [string, AnyResource, object, unknown[]][])("columns of %s", (_, card, object, expected) => expect(cells(card, object)).toEqual(expected));

test("a node's system information has all its fields, whoever gave which", () => {
  const node: Node = { metadata: { name: "a" }, spec: {}, status: { nodeInfo: { kubeletVersion: "v1" } as NodeSystemInfo } };
  nodes.default!(node);
  expect(Object.keys(node.status!.nodeInfo!)).toHaveLength(10);
  expect(node.status).toMatchObject({ nodeInfo: { kubeletVersion: "v1", machineID: "" }, daemonEndpoints: { kubeletEndpoint: { Port: 0 } } });
});

test("a namespace's phase goes with its deletion alone", () => {
  const phase = (phase: string, deletionTimestamp?: string): string[] => namespaces.strategy.validateStatusUpdate!({ metadata: { name: "a", deletionTimestamp }, spec: {}, status: { phase: phase as "Active" } }, { metadata: {}, spec: {} }).map(render);
  expect([phase("Active"), phase("Terminating", at(0))]).toEqual([[], []]);
  expect(phase("Terminating")).toEqual(["status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty"]);
  expect(phase("Active", at(0))).toEqual(["status.Phase: Invalid value: \"Active\": may only be 'Terminating' if `deletionTimestamp` is not empty"]);
});

test("of an account's secrets the names are kept", () => {
  const account: ServiceAccount = { metadata: {}, secrets: [{ name: "a", namespace: "b", kind: "Secret" }] };
  serviceaccounts.strategy.prepareForCreate!(account, anyone);
  expect(account.secrets).toEqual([{ name: "a" }]);
});
