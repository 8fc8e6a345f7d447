import type { ListMergeType, MergeType } from "../../../apimachinery/managedfields/merge-type.ts";
import { isObject } from "../../../apimachinery/own.ts";
import { jsonOf } from "../../../cel/values/json.ts";
import { isList, isMap, itemsOf, type Value } from "../../../cel/values/value.ts";

/**
 * Merges what an ApplyConfiguration expression gave into an object, as server-side apply merges but without owners. Throws an Error that says
 * what the expression did wrong. Source: k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch/smd.go.
 */
export function applyConfiguration(object: unknown, configuration: Value, type: MergeType): unknown {
  checkTypeNames(configuration, "Object");
  const patch = jsonOf(configuration);
  const atomic: string[] = [];
  checkAgainstType(patch, type, "", atomic);
  if (atomic.length > 0) throw new Error(`error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomic.join(", ")}`);
  return merge(object, patch, type);
}

/** `Object.spec{…}` may stand at `spec` only. */
function checkTypeNames(value: Value, path: string): void {
  if (isList(value)) {
    for (const item of itemsOf(value)) checkTypeNames(item, path);
  } else if (isMap(value) && value.type?.name.startsWith("Object")) {
    if (value.type.name !== path) throw new Error(`type mismatch: unexpected type name ${JSON.stringify(value.type.name)}, expected ${JSON.stringify(path)}, which matches field name path from root Object type`);
    for (const key of value.keys()) checkTypeNames(value.get(key)!, `${path}.${String(key)}`);
  }
}

function checkAgainstType(patch: unknown, type: MergeType, path: string, atomic: string[]): void {
  if (type.kind === "map" && isObject(patch)) {
    if (type.relationship === "atomic") atomic.push(path);
    for (const [name, value] of Object.entries(patch)) {
      const field = type.field(name);
      if (!field) throw new Error(`error applying patch: failed to convert patch object to typed object: ${path}.${name}: field not declared in schema`);
      checkAgainstType(value, field, `${path}.${name}`, atomic);
    }
  } else if (type.kind === "list" && Array.isArray(patch)) {
    if (type.relationship === "atomic") atomic.push(path);
    for (const [index, item] of patch.entries()) checkAgainstType(item, type.item, `${path}[${index}]`, atomic);
  }
}

function merge(live: unknown, patch: unknown, type: MergeType): unknown {
  if (isObject(live) && isObject(patch) && (type.kind === "untyped" || (type.kind === "map" && type.relationship === "granular"))) {
    const merged: Record<string, unknown> = { ...live };
    for (const [name, value] of Object.entries(patch)) {
      const field: MergeType = type.kind === "map" ? type.field(name) ?? { kind: "untyped" } : type;
      define(merged, name, merge(Object.hasOwn(live, name) ? live[name] : undefined, value, field));
    }
    return merged;
  }
  if (type.kind === "list" && type.relationship !== "atomic" && Array.isArray(live) && Array.isArray(patch)) return mergeLists(live, patch, type);
  return patch;
}

/** Items that both have keep their places; new ones come last. */
function mergeLists(live: readonly unknown[], patch: readonly unknown[], type: ListMergeType): unknown[] {
  const merged = [...live];
  const places = new Map(live.map((item, index) => [identityOf(item, type), index]));
  for (const item of patch) {
    const identity = identityOf(item, type);
    const place = places.get(identity);
    if (place === undefined) {
      places.set(identity, merged.length);
      merged.push(item);
    } else if (type.relationship === "map") {
      merged[place] = merge(merged[place], item, type.item);
    }
  }
  return merged;
}

function identityOf(item: unknown, { relationship, keys }: ListMergeType): string {
  if (relationship === "set" || !isObject(item)) return JSON.stringify(item);
  return JSON.stringify(keys.map(({ name, default: missing }) => item[name] ?? missing ?? null));
}

/** Names come from clients: `__proto__` is a field like any other. */
const define = (target: object, name: string, value: unknown): void => void Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
