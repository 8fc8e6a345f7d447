import { arch } from "node:os";
import { gitVersion } from "../../src/base/version.ts";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import type { ContainerImage, Node, NodeCondition, NodeStatus, Taint } from "../../src/apis/generated/core/v1.ts";
import { nodeConditions } from "../kubelet/node/node-conditions.ts";

/** What a hollow node says of itself; all but the name has defaults. */
export interface NodeShape {
  name: string;
  /** Beside the usual ones. */
  labels?: Readonly<Record<string, string>>;
  taints?: readonly Taint[];
  /** Capacity and allocatable alike; over 4 CPUs, 8Gi of memory, 100Gi of ephemeral storage and 110 pods. */
  resources?: Readonly<Record<string, string>>;
  /** The zone label. */
  zone?: string;
  images?: readonly ContainerImage[];
  /** Default: one of its own in 10.128.0.0/9. */
  address?: string;
}

/** What is wrong with the node, if anything. */
export interface NodeTroubles {
  memoryPressure?: boolean;
  diskPressure?: boolean;
  pidPressure?: boolean;
  /** Why it is not Ready. */
  notReady?: string;
}

const defaultResources = { cpu: "4", memory: "8Gi", "ephemeral-storage": "100Gi", pods: "110" };
const architecture = arch() === "x64" ? "amd64" : arch();

export const resourcesOf = ({ resources }: NodeShape): Record<string, string> => ({ ...defaultResources, ...resources });

export function nodeOf({ name, labels, taints = [], zone }: NodeShape): Node {
  const usual = { "kubernetes.io/arch": architecture, "kubernetes.io/os": "linux", "kubernetes.io/hostname": name, ...(zone ? { "topology.kubernetes.io/zone": zone } : {}) };
  return { apiVersion: "v1", kind: "Node", metadata: { name, labels: { ...usual, ...labels } }, spec: taints.length > 0 ? { taints: [...taints] } : {} };
}

/** The addresses of node number `index` and of those pods that come before the node has a range of its own. */
export const addressOf = ({ address }: NodeShape, index: number): string => address ?? `10.${128 + ((index + 1) >> 16)}.${((index + 1) >> 8) & 255}.${(index + 1) & 255}`;

export function nodeStatus(shape: NodeShape, address: string, old: Frozen<Node> | undefined, troubles: NodeTroubles, now: number): NodeStatus {
  const resources = resourcesOf(shape);
  return {
    capacity: resources, allocatable: resources, conditions: conditionsOf(old, troubles, now),
    addresses: [{ type: "InternalIP", address }, { type: "Hostname", address: shape.name }],
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    nodeInfo: {
      machineID: shape.name, systemUUID: shape.name, bootID: shape.name, kernelVersion: "hollow", osImage: "hollow", containerRuntimeVersion: "containerd://hollow",
      kubeletVersion: gitVersion, kubeProxyVersion: gitVersion, operatingSystem: "linux", architecture,
    },
    images: [...shape.images ?? []],
  };
}

function conditionsOf(old: Frozen<Node> | undefined, { memoryPressure = false, diskPressure = false, pidPressure = false, notReady }: NodeTroubles, now: number): NodeCondition[] {
  const ready = ["RuntimeReady", "NetworkReady"].map((type) => ({ type, status: true }));
  return nodeConditions(old?.status?.conditions ?? [], {
    pressures: [...(memoryPressure ? ["MemoryPressure" as const] : []), ...(diskPressure ? ["DiskPressure" as const] : []), ...(pidPressure ? ["PIDPressure" as const] : [])], now,
    ...(notReady === undefined ? { runtime: { conditions: ready } } : { runtimeError: notReady }),
  });
}
