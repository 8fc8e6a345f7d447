import { ageColumn, nameColumn, type AnyResource, type Column } from "../apimachinery/resource.ts";
import type { Scale } from "../apis/generated/autoscaling/v1.ts";
import type { BodyKind } from "./encoding/body.ts";

/** What is served below an object's name: of which kind, by which verbs, and how. */
export interface Subresource {
  name: string;
  /** The kind in discovery, and of the body unless it is the object itself or a connection. */
  kind: BodyKind;
  verbs: readonly string[];
  /** view: the object itself, some fields writable. projection: another kind, read and written. post: another kind, posted. connect: handed to a node or address. */
  style: "view" | "projection" | "post" | "connect";
  /** What another kind is printed as in a Table; without columns it can't be asked for in another form. */
  columns?: AnyResource["columns"];
}

type Entry = Omit<Subresource, "name" | "kind"> & { kind?: (resource: string) => BodyKind };

const kind = (group: string, version: string, name: string, schemaGroup = group.split(".")[0] || "core"): BodyKind =>
  ({ group, version, kind: name, schema: `io.k8s.api.${schemaGroup}.${version}.${name}` });
const readWrite = ["get", "patch", "update"];
const streams = ["create", "get"];
const proxied: Readonly<Record<string, string>> = { nodes: "NodeProxyOptions", services: "ServiceProxyOptions", pods: "PodProxyOptions" };

/** Source: pkg/printers/internalversion/printers.go printScale. */
const scaleColumns: readonly Column<Scale>[] = [
  { ...nameColumn<Scale>(), format: "" },
  { name: "Desired", type: "integer", description: "replicas is the desired number of instances for the scaled object.", value: ({ spec }) => spec?.replicas ?? 0 },
  { name: "Available", type: "integer", description: "replicas is the actual number of observed instances of the scaled object.", value: ({ status }) => status?.replicas ?? 0 },
  ageColumn<Scale>(),
];

const table: Readonly<Record<string, Entry>> = {
  status: { style: "view", verbs: readWrite },
  scale: { style: "projection", verbs: readWrite, kind: () => kind("autoscaling", "v1", "Scale"), columns: scaleColumns },
  approval: { style: "view", verbs: readWrite },
  ephemeralcontainers: { style: "view", verbs: readWrite },
  resize: { style: "view", verbs: readWrite },
  finalize: { style: "view", verbs: ["update"] },
  binding: { style: "post", verbs: ["create"], kind: () => kind("", "v1", "Binding") },
  eviction: { style: "post", verbs: ["create"], kind: () => kind("policy", "v1", "Eviction") },
  token: { style: "post", verbs: ["create"], kind: () => kind("authentication.k8s.io", "v1", "TokenRequest") },
  attach: { style: "connect", verbs: streams, kind: () => kind("", "v1", "PodAttachOptions") },
  exec: { style: "connect", verbs: streams, kind: () => kind("", "v1", "PodExecOptions") },
  portforward: { style: "connect", verbs: streams, kind: () => kind("", "v1", "PodPortForwardOptions") },
  log: { style: "connect", verbs: ["get"] },
  proxy: { style: "connect", verbs: ["create", "delete", "get", "patch", "update"], kind: (resource) => kind("", "v1", proxied[resource] ?? "PodProxyOptions") },
};

export function subresourcesOf(card: AnyResource): Subresource[] {
  const { status, scale, others = [] } = card.subresources;
  const names = [...others, ...(scale ? ["scale"] : []), ...(status ? ["status"] : [])].sort();
  return names.flatMap((name) => {
    const found = subresourceOf(card, name);
    return found ? [found] : [];
  });
}

export function subresourceOf(card: AnyResource, name: string): Subresource | undefined {
  const { status, scale, others = [] } = card.subresources;
  const served = name === "status" ? status : name === "scale" ? scale : others.includes(name);
  const entry = Object.hasOwn(table, name) ? table[name] : undefined;
  if (!served || !entry) return undefined;
  return { name, style: entry.style, verbs: entry.verbs, kind: entry.kind?.(card.resource) ?? card, columns: entry.columns };
}
