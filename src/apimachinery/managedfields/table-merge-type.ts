import { factsOf, structOf, type Field, type StructType, type Type } from "../schema/schema.ts";
import type { MapMergeType, MergeType } from "./merge-type.ts";

const leaf: MergeType = { kind: "scalar" };
const untyped: MergeType = { kind: "untyped" };
const text: MergeType = { kind: "scalar", scalar: "string" };
const numeric: MergeType = { kind: "scalar", scalar: "numeric" };
const boolean: MergeType = { kind: "scalar", scalar: "boolean" };
const granular = new Map<StructType, MergeType>(), atomic = new Map<StructType, MergeType>();

/** The merge structure of a type of the schema table. */
export const tableMergeType = (schemaName: string): MergeType => ofStruct(structOf(schemaName), false);

function ofStruct(struct: StructType, isAtomic: boolean): MergeType {
  const known = isAtomic ? atomic : granular;
  let type = known.get(struct);
  if (!type) known.set(struct, type = makeStruct(struct, isAtomic || factsOf(struct.name)?.structType === "atomic"));
  return type;
}

function makeStruct(struct: StructType, isAtomic: boolean): MapMergeType {
  let zeros: ReadonlyMap<string, unknown> | undefined;
  return {
    kind: "map", relationship: isAtomic ? "atomic" : "granular", field: (name) => fieldOf(struct, name),
    get zeros() {
      return (zeros ??= zerosOf(struct));
    },
  };
}

/** What Go's encoding of a struct has in any case: structs, and what isn't marked omitempty. */
function zerosOf(struct: StructType): ReadonlyMap<string, unknown> {
  const zeros = new Map<string, unknown>();
  for (const { name, type, ptr, omitempty } of struct.fields.values()) {
    const zero = ptr ? null : zeroOf(type);
    if (zero !== undefined && (!omitempty || (!ptr && isGoStruct(type)))) zeros.set(name, zero);
  }
  return zeros;
}

const isGoStruct = ({ kind }: Type): boolean => kind === "struct" || kind === "quantity" || kind === "intOrString";

/** Times are left out when they are zero, whatever their tag. */
function zeroOf(type: Type): unknown {
  switch (type.kind) {
    case "struct": return {};
    case "quantity": return "0";
    case "intOrString": return 0;
    case "scalar": return type.scalar === "string" ? "" : type.scalar === "bool" ? false : 0;
    case "time": case "microTime": return undefined;
    default: return null;
  }
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
    case "struct": return ofStruct(type, facts.structType === "atomic" || facts.mapType === "atomic");
    case "map": return ofMap(type.value, facts.mapType === "atomic");
    case "list": return {
      kind: "list", relationship: facts.listType ?? "atomic", item: ofValue(type.item),
      keys: (facts.listMapKeys ?? []).map((key) => keyOf(type.item, key)),
    };
    default: return ofValue(type);
  }
}

function ofMap(value: Type, isAtomic: boolean): MapMergeType {
  const inner = ofValue(value);
  return { kind: "map", relationship: isAtomic ? "atomic" : "granular", field: () => inner, declares: () => false };
}

function ofValue(type: Type): MergeType {
  switch (type.kind) {
    case "struct": return ofStruct(type, false);
    case "map": return ofMap(type.value, false);
    case "list": return { kind: "list", relationship: "atomic", keys: [], item: ofValue(type.item) };
    case "any": return type.go.endsWith("RawExtension") ? leaf : untyped;
    case "union": return untyped;
    case "scalar": return type.scalar === "string" ? text : type.scalar === "bool" ? boolean : numeric;
    case "quantity": case "intOrString": return leaf;
    default: return text;
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
