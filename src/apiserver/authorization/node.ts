import { parseFieldSelector, requiredValue } from "../../apimachinery/selectors/fields.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import type { Informer } from "../../client/informer.ts";
import type { Authorizer, Decision, ResourceAttributes, UserInfo } from "../../registry/attributes.ts";
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
export function nodeAuthorizer({ pods }: { pods: Informer<Pod> }): Authorizer {
  const graph = nodeGraph(pods);
  return {
    authorize(attributes) {
      const node = nodeNameOf(attributes.user);
      return node === undefined ? noOpinion : node === "" ? denied("node identity is missing its name") : decide(graph, node, attributes);
    },
    authorizePath: () => noOpinion,
  };
}

function nodeNameOf({ name, groups }: UserInfo): string | undefined {
  const prefix = "system:node:";
  return groups.includes("system:nodes") && name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
}

function decide(graph: NodeGraph, node: string, attributes: ResourceAttributes): Decision {
  switch (attributes.group ? `${attributes.resource}.${attributes.group}` : attributes.resource) {
    case "secrets": case "configmaps": return readReferenced(graph, node, attributes, ["get", "list", "watch"]);
    case "persistentvolumeclaims": return readReferenced(graph, node, attributes, ["get"]);
    case "serviceaccounts": return account(graph, node, attributes);
    case "pods": return pod(graph, node, attributes);
    case "nodes": return ownNode(node, attributes);
    case "leases.coordination.k8s.io": return lease(node, attributes);
    case "csinodes.storage.k8s.io": return named(node, attributes, ["get", "create", "update", "patch", "delete"]);
    default: return nodeRules.some((rule) => ruleAllows(rule, attributes)) ? allowed : noOpinion;
  }
}

const related = (graph: NodeGraph, node: string, { resource, namespace, name }: ResourceAttributes): Decision =>
  graph.refers(node, `${resource}/${namespace}/${name}`) ? allowed : denied(`no relationship found between node '${node}' and this object`);

function readReferenced(graph: NodeGraph, node: string, attributes: ResourceAttributes, verbs: readonly string[]): Decision {
  if (!verbs.includes(attributes.verb) || attributes.subresource) return denied(`can only ${verbs.join(", ")} individual resources of this type`);
  if (!attributes.name || !attributes.namespace) return denied("can only read namespaced object of this type");
  return related(graph, node, attributes);
}

function account(graph: NodeGraph, node: string, attributes: ResourceAttributes): Decision {
  const { verb, subresource } = attributes;
  const fits = subresource === "token" ? verb === "create" : subresource === "" && verb === "get";
  return fits ? related(graph, node, attributes) : denied("can only create tokens for individual service accounts");
}

function pod(graph: NodeGraph, node: string, attributes: ResourceAttributes): Decision {
  const { verb, subresource } = attributes;
  if (subresource === "status") return verb === "update" || verb === "patch" ? allowed : denied("can only update status of individual pods");
  if (subresource === "eviction") return verb === "create" ? allowed : denied("can only create evictions");
  if (subresource !== "") return denied("no such access for nodes");
  switch (verb) {
    case "get": return related(graph, node, attributes);
    case "list": case "watch": return selectsNode(attributes, node) ? allowed : denied("can only list/watch pods with spec.nodeName field selector");
    case "create": case "delete": return allowed;
    default: return denied("can only get, list, watch, create and delete pods");
  }
}

/** The selector was read once before, by request-info, so it parses. */
const selectsNode = ({ fieldSelector }: ResourceAttributes, node: string): boolean =>
  fieldSelector !== undefined && requiredValue(parseFieldSelector(fieldSelector), "spec.nodeName") === node;

function ownNode(node: string, { verb, subresource, name }: ResourceAttributes): Decision {
  if (subresource !== "" && subresource !== "status") return denied("cannot get this subresource of nodes");
  switch (verb) {
    case "create": return subresource === "" ? allowed : noOpinion;
    case "get": case "list": case "watch": case "update": case "patch":
      return name === node ? allowed : denied(`node '${node}' cannot ${verb === "update" || verb === "patch" ? "modify" : "read"} ${name ? `'${name}'` : "all nodes"}, only its own Node object`);
    default: return noOpinion;
  }
}

function lease(node: string, attributes: ResourceAttributes): Decision {
  if (attributes.namespace !== "kube-node-lease") return denied('can only access leases in the "kube-node-lease" system namespace');
  return named(node, attributes, ["get", "create", "update", "patch", "delete"]);
}

/** A create has no name yet; admission checks it. */
function named(node: string, { verb, subresource, name }: ResourceAttributes, verbs: readonly string[]): Decision {
  if (subresource !== "" || !verbs.includes(verb)) return denied(`can only ${verbs.join(", ")} its own object of this kind`);
  return verb === "create" || name === node ? allowed : denied("can only access objects with the same name as the requesting node");
}
