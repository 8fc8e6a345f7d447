import { parseFieldSelector, requiredValue } from "../../apimachinery/selectors/fields.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import type { Informer } from "../../client/informer.ts";
import type { Authorizer, Decision, ResourceAttributes, UserInfo } from "../../registry/attributes.ts";
import type { Listers } from "../../registry/listers.ts";
import { nodeRules } from "./bootstrap/node-rules.ts";
import { nodeGraph, type NodeGraph } from "./node-graph.ts";
import { ruleAllows } from "./rbac-rules.ts";

const allowed: Decision = { allowed: true, reason: "" };
const noOpinion: Decision = { allowed: false, reason: "" };
const denied = (reason: string): Decision => ({ allowed: false, reason });

/**
 * What a kubelet (`system:node:<name>` in `system:nodes`) may do: read what its pods refer to, and write its own node, lease and pods.
 * NodeRestriction (admission) looks at the objects it writes. Source: k8s.io/kubernetes/plugin/pkg/auth/authorizer/node.
 */
export function nodeAuthorizer({ pods, listers }: { pods: Informer<Pod>; listers?: Listers }): Authorizer {
  const graph = nodeGraph(pods, listers);
  return {
    authorize(attributes) {
      const node = nodeNameOf(attributes.user);
      return node === undefined ? noOpinion : node === "" ? denied(`unknown node for user ${JSON.stringify(attributes.user.name)}`) : decide(graph, node, attributes);
    },
    authorizePath: () => noOpinion,
  };
}

function nodeNameOf({ name, groups }: UserInfo): string | undefined {
  const prefix = "system:node:";
  return groups.includes("system:nodes") && name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
}

type Judge = (graph: NodeGraph, node: string, attributes: ResourceAttributes) => Decision;

const judges: Readonly<Record<string, Judge>> = {
  "secrets": readReferenced, "configmaps": readReferenced,
  // Kubernetes lets a kubelet get claims, one by one, again and again; a watch of one tells it no more, and spares it that.
  "persistentvolumeclaims": (graph, node, attributes) => (attributes.subresource === "status" ? updateStatus : readReferenced)(graph, node, attributes),
  "persistentvolumes": getReferenced, "resourceclaims.resource.k8s.io": getReferenced, "volumeattachments.storage.k8s.io": getReferenced,
  "serviceaccounts": account, "pods": pod, "nodes": (_, node, attributes) => ownNode(node, attributes),
  "leases.coordination.k8s.io": (_, node, attributes) => lease(node, attributes),
  "csinodes.storage.k8s.io": (_, node, attributes) => csiNode(node, attributes),
  "resourceslices.resource.k8s.io": resourceSlice,
};

function decide(graph: NodeGraph, node: string, attributes: ResourceAttributes): Decision {
  const judge = judges[attributes.group ? `${attributes.resource}.${attributes.group}` : attributes.resource];
  if (judge) return judge(graph, node, attributes);
  return nodeRules.some((rule) => ruleAllows(rule, attributes)) ? allowed : noOpinion;
}

function related(graph: NodeGraph, node: string, { resource, namespace, name }: ResourceAttributes): Decision {
  if (!name) return denied("No Object name found");
  return graph.refers(node, resource, namespace, name) ? allowed : denied(`no relationship found between node '${node}' and this object`);
}

function readReferenced(graph: NodeGraph, node: string, attributes: ResourceAttributes): Decision {
  if (!["get", "list", "watch"].includes(attributes.verb)) return denied("can only read resources of this type");
  if (attributes.subresource) return denied("cannot read subresource");
  return attributes.namespace ? related(graph, node, attributes) : denied("can only read namespaced object of this type");
}

function getReferenced(graph: NodeGraph, node: string, attributes: ResourceAttributes): Decision {
  if (attributes.verb !== "get") return denied("can only get individual resources of this type");
  return attributes.subresource ? denied("cannot get subresource") : related(graph, node, attributes);
}

function updateStatus(graph: NodeGraph, node: string, attributes: ResourceAttributes): Decision {
  return attributes.verb === "update" || attributes.verb === "patch" ? related(graph, node, attributes) : denied("can only get/update/patch this type");
}

function account(graph: NodeGraph, node: string, attributes: ResourceAttributes): Decision {
  const { verb, subresource, name } = attributes;
  if (verb === "get" && subresource === "") return readReferenced(graph, node, attributes);
  if (verb !== "create" || !name) return denied("can only create tokens for individual service accounts");
  return subresource === "token" ? related(graph, node, attributes) : denied("can only create token subresource of serviceaccount");
}

function pod(graph: NodeGraph, node: string, attributes: ResourceAttributes): Decision {
  const { verb, subresource, name } = attributes;
  if (subresource === "status") return verb === "update" || verb === "patch" ? allowed : noOpinion;
  if (subresource === "eviction") return verb === "create" ? allowed : noOpinion;
  if (subresource !== "") return noOpinion;
  switch (verb) {
    case "get": return getReferenced(graph, node, attributes);
    case "list": case "watch":
      if (selects(attributes, "spec.nodeName", node)) return allowed;
      return name ? related(graph, node, attributes) : denied("can only list/watch pods with spec.nodeName field selector");
    case "create": case "delete": return allowed;
    default: return noOpinion;
  }
}

/** A selector that can't be read selects nothing; those of requests are refused before, those of policies' own questions may be anything. */
function selects({ fieldSelector }: ResourceAttributes, field: string, node: string): boolean {
  if (fieldSelector === undefined) return false;
  try {
    return requiredValue(parseFieldSelector(fieldSelector), field) === node;
  } catch {
    return false;
  }
}

function ownNode(node: string, { verb, subresource, name }: ResourceAttributes): Decision {
  if (subresource === "status") return verb === "update" || verb === "patch" ? allowed : noOpinion;
  if (subresource !== "") return noOpinion;
  switch (verb) {
    // Which node, NodeRestriction looks at.
    case "create": case "update": case "patch": return allowed;
    case "get": case "list": case "watch":
      return name === node ? allowed : denied(`node '${node}' cannot read ${name ? `'${name}'` : "all nodes"}, only its own Node object`);
    default: return noOpinion;
  }
}

const ownVerbs = ["get", "create", "update", "patch", "delete"];

function lease(node: string, { verb, namespace, name }: ResourceAttributes): Decision {
  if (!ownVerbs.includes(verb)) return denied("can only get, create, update, patch, or delete a node lease");
  if (namespace !== "kube-node-lease") return denied('can only access leases in the "kube-node-lease" system namespace');
  return verb === "create" || name === node ? allowed : denied("can only access node lease with the same name as the requesting node");
}

function csiNode(node: string, { verb, subresource, name }: ResourceAttributes): Decision {
  if (!ownVerbs.includes(verb)) return denied("can only get, create, update, patch, or delete a CSINode");
  if (subresource) return denied("cannot authorize CSINode subresources");
  return verb === "create" || name === node ? allowed : denied("can only access CSINode with the same name as the requesting node");
}

function resourceSlice(graph: NodeGraph, node: string, attributes: ResourceAttributes): Decision {
  if (attributes.subresource) return denied("cannot authorize ResourceSlice subresources");
  switch (attributes.verb) {
    case "create": return allowed;
    case "get": case "update": case "patch": case "delete": return related(graph, node, attributes);
    case "list": case "watch": case "deletecollection":
      return selects(attributes, "spec.nodeName", node) ? allowed : denied("can only list/watch/deletecollection resourceslices with nodeName field selector");
    default: return denied("only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection");
  }
}
