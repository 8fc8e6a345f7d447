import { semanticEqual } from "../../apimachinery/equality.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import type { Node, NodeSystemInfo } from "../generated/core/v1.ts";
import { networkWarnings } from "../networking/addresses.ts";
import { validateNode, validateNodeUpdate } from "./node-validation.ts";
export type { Node } from "../generated/core/v1.ts";

export const nodes = defineResource<Node>({
  group: "", version: "v1", kind: "Node", resource: "nodes", scope: "Cluster", shortNames: ["no"],
  subresources: { status: true, others: ["proxy"] },
  schema: "io.k8s.api.core.v1.Node",
  default(node) {
    const spec = (node.spec ??= {});
    // One fact in two fields; where they differ, the older one counts. Source: Convert_v1_NodeSpec_To_core_NodeSpec.
    if (spec.podCIDR && spec.podCIDRs?.[0] !== spec.podCIDR) spec.podCIDRs = [spec.podCIDR];
    else if (spec.podCIDRs?.length) spec.podCIDR = spec.podCIDRs[0];
    if (node.status?.capacity) node.status.allocatable ??= { ...node.status.capacity };
    // Clients of typed languages count on these fields, whoever registers the node.
    const status = (node.status ??= {});
    status.nodeInfo = { ...unknownSystem, ...status.nodeInfo };
    const endpoints = (status.daemonEndpoints ??= {});
    endpoints.kubeletEndpoint ??= { Port: 0 };
  },
  // A node's status may be given when it is created: the kubelet registers itself with what it has.
  strategy: {
    prepareForCreate(node) {
      delete node.metadata.generation;
      // Dynamic kubelet configuration is gone; its field stayed.
      delete node.spec.configSource;
    },
    isVolatile: onlyBeats,
    validate: validateNode, validateUpdate: validateNodeUpdate, validateStatusUpdate: validateNodeUpdate,
    warnings: ({ spec }) => (spec.podCIDRs ?? []).flatMap((range, index) => networkWarnings(`spec.podCIDRs[${index}]`, range)),
  },
  fieldSelectors: { "spec.unschedulable": (node) => String(node.spec.unschedulable ?? false) },
  columns: [
    nameColumn(),
    { name: "Status", type: "string", description: "The status of the node", value: statusOf },
    { name: "Roles", type: "string", description: "The roles of the node", value: (node) => rolesOf(node).join(",") || "<none>" },
    ageColumn(),
    { name: "Version", type: "string", description: "Kubelet Version reported by the node.", value: (node) => node.status?.nodeInfo?.kubeletVersion ?? "" },
    { name: "Internal-IP", type: "string", priority: 1, description: "List of addresses reachable to the node. Queried from cloud provider, if available. More info: https://kubernetes.io/docs/reference/node/node-status/#addresses Note: This field is declared as mergeable, but the merge key is not sufficiently unique, which can cause data corruption when it is merged. Callers should instead use a full-replacement patch. See https://pr.k8s.io/79391 for an example. Consumers should assume that addresses can change during the lifetime of a Node. However, there are some exceptions where this may not be possible, such as Pods that inherit a Node's address in its own status or consumers of the downward API (status.hostIP).", value: (node) => addressOf(node, "InternalIP") },
    { name: "External-IP", type: "string", priority: 1, description: "List of addresses reachable to the node. Queried from cloud provider, if available. More info: https://kubernetes.io/docs/reference/node/node-status/#addresses Note: This field is declared as mergeable, but the merge key is not sufficiently unique, which can cause data corruption when it is merged. Callers should instead use a full-replacement patch. See https://pr.k8s.io/79391 for an example. Consumers should assume that addresses can change during the lifetime of a Node. However, there are some exceptions where this may not be possible, such as Pods that inherit a Node's address in its own status or consumers of the downward API (status.hostIP).", value: (node) => addressOf(node, "ExternalIP") },
    { name: "OS-Image", type: "string", priority: 1, description: "OS Image reported by the node from /etc/os-release (e.g. Debian GNU/Linux 7 (wheezy)).", value: (node) => node.status?.nodeInfo?.osImage || "<unknown>" },
    { name: "Kernel-Version", type: "string", priority: 1, description: "Kernel Version reported by the node from 'uname -r' (e.g. 3.16.0-0.bpo.4-amd64).", value: kernelOf },
    { name: "Container-Runtime", type: "string", priority: 1, description: "ContainerRuntime Version reported by the node through runtime remote API (e.g. containerd://1.4.2).", value: (node) => node.status?.nodeInfo?.containerRuntimeVersion || "<unknown>" },
  ],
  example: () => ({ apiVersion: "v1", kind: "Node", metadata: { name: "example" }, spec: {} }),
});

/** That the node lives is said again soon; all else that is said of it is known after a crash. */
function onlyBeats(node: Frozen<Node> | undefined, old: Frozen<Node> | undefined): boolean {
  if (!node || !old) return false;
  const told = ({ metadata, spec, status: { conditions = [], ...status } = {} }: Frozen<Node>) =>
    [{ ...metadata, resourceVersion: "", managedFields: [] }, spec, status, conditions.map((condition) => ({ ...condition, lastHeartbeatTime: "" }))];
  return semanticEqual(told(node), told(old));
}

const unknownSystem: NodeSystemInfo = {
  machineID: "", systemUUID: "", bootID: "", kernelVersion: "", osImage: "", containerRuntimeVersion: "", kubeletVersion: "", kubeProxyVersion: "", operatingSystem: "", architecture: "",
};

function statusOf(node: Frozen<Node>): string {
  const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
  const status = !ready ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady";
  return node.spec.unschedulable ? `${status},SchedulingDisabled` : status;
}

const rolePrefix = "node-role.kubernetes.io/";

function rolesOf(node: Frozen<Node>): string[] {
  const labels = Object.entries(node.metadata.labels ?? {});
  const roles = labels.map(([key, value]) => (key.startsWith(rolePrefix) ? key.slice(rolePrefix.length) : key === "kubernetes.io/role" ? value : ""));
  return [...new Set(roles.filter((role) => role !== ""))].toSorted();
}

const addressOf = (node: Frozen<Node>, type: string): string => node.status?.addresses?.find((address) => address.type === type)?.address ?? "<none>";

function kernelOf(node: Frozen<Node>): string {
  const { kernelVersion, architecture } = node.status?.nodeInfo ?? {};
  return (kernelVersion || "<unknown>") + (architecture ? ` (${architecture})` : "");
}
