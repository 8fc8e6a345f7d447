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
      throw new Error(`JSON Patch: ${faultOf(json, error as Error)}`, { cause: error });
    }
  }
  return patched;
}

const patchPrefix = "the server rejected our request due to an error in our request: ";

/** What a PATCH request would be told, less what is said of the request. */
function faultOf({ op, path }: Record<string, unknown>, { message }: Error): string {
  const key = String(path).split("/").at(-1)!.replaceAll("~1", "/").replaceAll("~0", "~");
  if (op === "remove" && message.includes("missing value")) return `error in remove for path: '${String(path)}': Unable to remove nonexistent key: ${key}: missing value`;
  return message.replace(patchPrefix, "");
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
