import { factsOf, structOf, type Field, type StructType, type Type } from "../schema/schema.ts";
import type { MergeType } from "./merge-type.ts";

const scalar: MergeType = { kind: "scalar" };
const untyped: MergeType = { kind: "untyped" };
const ofStructs = new Map<StructType, MergeType>();

/** The merge structure of a type of the schema table. */
export const tableMergeType = (schemaName: string): MergeType => ofStruct(structOf(schemaName), false);

function ofStruct(struct: StructType, atomic: boolean): MergeType {
  if (atomic) return { kind: "map", relationship: "atomic", field: (name) => fieldOf(struct, name) };
  let type = ofStructs.get(struct);
  if (!type) ofStructs.set(struct, type = { kind: "map", relationship: factsOf(struct.name)?.structType === "atomic" ? "atomic" : "granular", field: (name) => fieldOf(struct, name) });
  return type;
}

const ofFields = new WeakMap<Field, MergeType>();

function fieldOf(struct: StructType, name: string): MergeType | undefined {
  const field = struct.fields.get(name);
  if (!field) return undefined;
  let type = ofFields.get(field);
  if (!type) ofFields.set(field, type = ofField(field));
  return type;
}

function ofField({ type, facts }: Field): MergeType {
  switch (type.kind) {
    case "struct": return ofStruct(type, facts.structType === "atomic");
    case "map": return { kind: "map", relationship: facts.mapType === "atomic" ? "atomic" : "granular", field: () => ofValue(type.value) };
    case "list": return {
      kind: "list", relationship: facts.listType ?? "atomic", item: ofValue(type.item),
      keys: (facts.listMapKeys ?? []).map((key) => keyOf(type.item, key)),
    };
    default: return ofValue(type);
  }
}

function ofValue(type: Type): MergeType {
  switch (type.kind) {
    case "struct": return ofStruct(type, false);
    case "map": return { kind: "map", relationship: "granular", field: () => ofValue(type.value) };
    case "list": return { kind: "list", relationship: "atomic", keys: [], item: ofValue(type.item) };
    case "any": case "union": return untyped;
    default: return scalar;
  }
}

/** A key that has a default may be left out of an item. */
function keyOf(item: Type, name: string): { name: string; default?: unknown } {
  const given = item.kind === "struct" ? item.fields.get(name)?.facts.default : undefined;
  return given === undefined ? { name } : { name, default: defaultValue(given) };
}

function defaultValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
