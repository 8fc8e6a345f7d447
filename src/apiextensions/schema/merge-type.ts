import type { ListMergeType, MapMergeType, MergeType } from "../../apimachinery/managedfields/merge-type.ts";
import { tableMergeType } from "../../apimachinery/managedfields/table-merge-type.ts";
import { additionalOf, isEmbedded, itemsOf, preserves, propertyOf, typeMetaAndMetadata, type Schema } from "./schema.ts";

const untyped: MergeType = { kind: "untyped" }, scalar: MergeType = { kind: "scalar" };
const scalars: Readonly<Record<string, MergeType>> = {
  string: { kind: "scalar", scalar: "string" }, integer: { kind: "scalar", scalar: "numeric" }, number: { kind: "scalar", scalar: "numeric" }, boolean: { kind: "scalar", scalar: "boolean" },
};
const known = new WeakMap<Schema, MergeType>();

/** What server-side apply goes by, from x-kubernetes-list-type and x-kubernetes-map-type. Made as far as it is asked for. */
function mergeTypeOf(schema: Schema | undefined): MergeType {
  if (!schema) return untyped;
  let type = known.get(schema);
  if (!type) known.set(schema, type = make(schema));
  return type;
}

/** Of a whole resource: apiVersion, kind and metadata are those of every object. */
export function resourceMergeType(schema: Schema | undefined): MergeType {
  return schema ? mapType(schema, true) : untyped;
}

function make(schema: Schema): MergeType {
  if (schema["x-kubernetes-int-or-string"]) return scalar;
  const items = itemsOf(schema);
  if (schema.type === "array" || items) return listType(schema, items);
  if (schema.type === "object" || schema.properties || schema.additionalProperties !== undefined) {
    return isEmbedded(schema) || schema.properties || additionalOf(schema) || schema["x-kubernetes-map-type"] ? mapType(schema, isEmbedded(schema)) : untyped;
  }
  return (schema.type && !preserves(schema) ? scalars[schema.type] : undefined) ?? untyped;
}

function mapType(schema: Schema, isResource: boolean): MapMergeType {
  const unknown = preserves(schema) || schema.additionalProperties === true ? untyped : undefined;
  return {
    kind: "map", relationship: schema["x-kubernetes-map-type"] === "atomic" ? "atomic" : "granular",
    field(name) {
      if (isResource && name === "metadata") return tableMergeType("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
      if (isResource && (name === "apiVersion" || name === "kind")) return scalars.string;
      const inner = propertyOf(schema, name) ?? additionalOf(schema);
      return inner ? mergeTypeOf(inner) : unknown;
    },
    declares: (name) => propertyOf(schema, name) !== undefined || (isResource && typeMetaAndMetadata.has(name)),
  };
}

function listType(schema: Schema, items: Schema | undefined): ListMergeType {
  const relationship = schema["x-kubernetes-list-type"];
  const keys = (schema["x-kubernetes-list-map-keys"] ?? []).map((name) => {
    const key = items && propertyOf(items, name);
    return key?.default === undefined ? { name } : { name, default: key.default };
  });
  return { kind: "list", relationship: relationship === "set" || relationship === "map" ? relationship : "atomic", keys, item: mergeTypeOf(items) };
}
