import { apiVersionOf, type AnyResource } from "../../apimachinery/resource.ts";
import { hasType } from "../../apimachinery/schema/schema.ts";
import type { GroupVersionKind } from "./schemas.ts";

export interface QueryParameter {
  name: string;
  type: "string" | "boolean" | "integer";
  description: string;
}
export interface Operation {
  method: "get" | "post" | "put" | "patch" | "delete";
  id: string;
  /** Kubernetes' x-kubernetes-action: list, post, patch, deletecollection… */
  action: string;
  kind: GroupVersionKind;
  query: readonly QueryParameter[];
  /** Types of the schema table; a patch's body is anything, and a response without type is text. */
  body?: string;
  response?: string;
  /** Of a custom resource. */
  isCustom?: boolean;
}
export interface Endpoint {
  path: string;
  /** The names in braces. */
  pathParameters: readonly string[];
  operations: readonly Operation[];
}

const meta = "io.k8s.apimachinery.pkg.apis.meta.v1";
export const statusType = `${meta}.Status`, deleteOptionsType = `${meta}.DeleteOptions`, patchType = `${meta}.Patch`;

const parameter = (name: string, type: QueryParameter["type"], description: string): QueryParameter => ({ name, type, description });
const dryRun = parameter("dryRun", "string", "When present, indicates that modifications should not be persisted. Valid values are: All (all dry run stages will be processed).");
const fieldManager = parameter("fieldManager", "string", "The name of the actor that makes these changes. Must be at most 128 characters long and printable.");
const fieldValidation = parameter("fieldValidation", "string", "How unknown and duplicate fields are met: Ignore, Warn (the default) or Strict.");
const force = parameter("force", "boolean", "Takes over fields that other managers own. For apply patches alone.");
const listParameters = [
  parameter("allowWatchBookmarks", "boolean", "Asks for events of type BOOKMARK."),
  parameter("continue", "string", "The token that the previous page of a list ended with."),
  parameter("fieldSelector", "string", "Restricts the list to objects whose fields match. Default: everything."),
  parameter("labelSelector", "string", "Restricts the list to objects whose labels match. Default: everything."),
  parameter("limit", "integer", "The most items that a page of the list may have."),
  parameter("resourceVersion", "string", "Constrains which resource versions may be served."),
  parameter("resourceVersionMatch", "string", "How resourceVersion is applied to lists: Exact or NotOlderThan."),
  parameter("sendInitialEvents", "boolean", "Begins a watch with what exists."),
  parameter("timeoutSeconds", "integer", "Ends a list or watch after this time."),
  parameter("watch", "boolean", "Streams changes instead of answering once."),
];
const deleteParameters = [
  dryRun,
  parameter("gracePeriodSeconds", "integer", "Seconds before the object is deleted. Zero deletes at once."),
  parameter("propagationPolicy", "string", "Whether and how dependents are deleted: Orphan, Background or Foreground."),
];
const writeParameters = [dryRun, fieldManager, fieldValidation];

/** What subresources other than status and scale take: the kind they carry, where it isn't their resource's, and their methods. */
const others: Readonly<Record<string, { methods: readonly Operation["method"][]; type?: string; kind?: GroupVersionKind }>> = {
  binding: { methods: ["post"], type: "io.k8s.api.core.v1.Binding", kind: { group: "", version: "v1", kind: "Binding" } },
  eviction: { methods: ["post"], type: "io.k8s.api.policy.v1.Eviction", kind: { group: "policy", version: "v1", kind: "Eviction" } },
  token: { methods: ["post"], type: "io.k8s.api.authentication.v1.TokenRequest", kind: { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" } },
  scale: { methods: ["get", "put", "patch"], type: "io.k8s.api.autoscaling.v1.Scale", kind: { group: "autoscaling", version: "v1", kind: "Scale" } },
  status: { methods: ["get", "put", "patch"] }, approval: { methods: ["get", "put", "patch"] }, resize: { methods: ["get", "put", "patch"] },
  ephemeralcontainers: { methods: ["get", "put", "patch"] }, finalize: { methods: ["put"] },
};

/** The paths of a kind: collection, all namespaces, item and subresources. Streams (log, exec, proxy) have no schema and are left out. */
export function endpointsOf(card: AnyResource): Endpoint[] {
  const root = card.group ? `/apis/${apiVersionOf(card)}` : `/api/${card.version}`;
  const namespaced = card.scope === "Namespaced";
  const collection = namespaced ? `${root}/namespaces/{namespace}/${card.resource}` : `${root}/${card.resource}`;
  const inNamespace = namespaced ? ["namespace"] : [];
  const endpoint = (path: string, pathParameters: readonly string[], operations: readonly (Operation | undefined)[]): Endpoint => ({ path, pathParameters, operations: operations.filter((o) => o !== undefined).map((o) => (card.objectSchema ? { ...o, isCustom: true } : o)) });

  const own: GroupVersionKind = { group: card.group, version: card.version, kind: card.kind };
  const scope = namespaced ? "Namespaced" : "";
  const id = (verb: string, suffix = ""): string => `${verb}${idPart(card.group.split(".")[0] || "core")}${idPart(card.version)}${scope}${card.kind}${suffix}`;
  const list = card.objectSchema || hasType(`${card.schema}List`) ? `${card.schema}List` : undefined;
  const offered = (verb: string, operation: Operation): Operation | undefined => ((card.verbs as readonly string[]).includes(verb) ? operation : undefined);
  const listing = (suffix: string): Operation => ({ method: "get", id: id("list", suffix), action: "list", kind: own, query: listParameters, response: list });

  const endpoints = [
    endpoint(collection, inNamespace, [
      offered("list", listing("")),
      offered("create", { method: "post", id: id("create"), action: "post", kind: own, query: writeParameters, body: card.schema, response: card.schema }),
      offered("deletecollection", { method: "delete", id: id("deleteCollection"), action: "deletecollection", kind: own, query: [...deleteParameters, ...listParameters], body: deleteOptionsType, response: statusType }),
    ]),
    endpoint(`${collection}/{name}`, ["name", ...inNamespace], [
      offered("get", { method: "get", id: id("read"), action: "get", kind: own, query: [], response: card.schema }),
      offered("update", { method: "put", id: id("replace"), action: "put", kind: own, query: writeParameters, body: card.schema, response: card.schema }),
      offered("patch", { method: "patch", id: id("patch"), action: "patch", kind: own, query: [...writeParameters, force], body: patchType, response: card.schema }),
      offered("delete", { method: "delete", id: id("delete"), action: "delete", kind: own, query: deleteParameters, body: deleteOptionsType, response: statusType }),
    ]),
    ...subresourcesOf(card).map((name) => endpoint(`${collection}/{name}/${name}`, ["name", ...inNamespace], subresourceOperations(card, own, name, id))),
  ];
  if (namespaced) endpoints.push(endpoint(`${root}/${card.resource}`, [], [offered("list", listing("ForAllNamespaces"))]));
  return endpoints.filter(({ operations }) => operations.length > 0);
}

function subresourcesOf({ subresources }: AnyResource): string[] {
  return [...(subresources.status ? ["status"] : []), ...(subresources.scale ? ["scale"] : []), ...(subresources.others ?? [])].filter((name) => others[name]);
}

function subresourceOperations(card: AnyResource, own: GroupVersionKind, name: string, id: (verb: string, suffix: string) => string): Operation[] {
  const { methods, type = card.schema, kind = own } = others[name]!;
  const verbs = { get: "read", put: "replace", patch: "patch", post: "create", delete: "delete" };
  return methods.map((method) => ({
    method, id: id(verbs[method], idPart(name)), action: method, kind, response: type,
    query: method === "get" ? [] : method === "patch" ? [...writeParameters, force] : writeParameters,
    ...(method === "get" ? {} : { body: method === "patch" ? patchType : type }),
  }));
}

const idPart = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** The kinds of the types that subresources carry. */
export const subresourceKinds: readonly { type: string; kind: GroupVersionKind }[] = Object.values(others).flatMap(({ type, kind }) => (type && kind ? [{ type, kind }] : []));
