import { applyJsonPatch } from "../../../apimachinery/patch/json-patch.ts";
import { jsonOf } from "../../../cel/values/json.ts";
import { isList, isMap, itemsOf, type Value } from "../../../cel/values/value.ts";

/** Applies the operations that a JSONPatch expression gave. The object stays as it is when a `test` among them fails. Throws an Error. */
export function applyPatchExpression(object: unknown, operations: Value): unknown {
  if (!isList(operations)) throw new Error("type mismatch: JSONPatchType.expression should evaluate to array");
  let patched = object;
  for (const operation of itemsOf(operations)) {
    const json = operationOf(operation);
    try {
      patched = applyJsonPatch(patched, [json]);
    } catch (error) {
      if (json.op === "test") return object;
      throw new Error(`JSON Patch: ${(error as Error).message}`, { cause: error });
    }
  }
  return patched;
}

function operationOf(value: Value): Record<string, unknown> {
  if (!isMap(value)) throw new Error("type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch");
  const operation: Record<string, unknown> = {};
  for (const field of ["op", "path", "from", "value"]) {
    const given = value.get(field);
    if (given !== undefined) operation[field] = jsonOf(given);
  }
  return operation;
}
