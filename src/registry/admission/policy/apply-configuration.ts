import type { MergeType } from "../../../apimachinery/managedfields/merge-type.ts";
import { merge, typeErrors } from "../../../apimachinery/managedfields/typed.ts";
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
  const errors = typeErrors(patch, type);
  if (errors.length > 0) throw new Error(`error applying patch: failed to convert patch object to typed object: ${errors.length === 1 ? errors[0] : ["errors:", ...errors].join("\n  ")}`);
  const atomic = atomicParts(patch, type);
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

/** Where a configuration mentions parts that can only be replaced as a whole, which nobody may do by mistake. */
function atomicParts(value: unknown, type: MergeType, path = ""): string[] {
  if (type.kind === "map" && isObject(value)) {
    return [...(type.relationship === "atomic" ? [path] : []), ...Object.entries(value).flatMap(([name, inner]) => atomicParts(inner, type.field(name) ?? { kind: "untyped" }, `${path}.${name}`))];
  }
  if (type.kind === "list" && Array.isArray(value)) return [...(type.relationship === "atomic" ? [path] : []), ...value.flatMap((item, index) => atomicParts(item, type.item, `${path}[${index}]`))];
  return [];
}
