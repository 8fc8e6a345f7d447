import { cloneJson } from "../clone.ts";
import { isObject, setOwn, type JsonObject } from "../own.ts";
import { structOf, type Type } from "../schema/schema.ts";
import { badRequest, StatusError } from "../status.ts";
import { goTypeOf, showGo } from "./go-text.ts";
import { PatchError } from "./json-patch.ts";
import { indexIn, interleave, partition, sortLike } from "./order.ts";

// The directives of https://git.k8s.io/community/contributors/devel/sig-api-machinery/strategic-merge-patch.md
const patchDirective = "$patch";
const retainKeysDirective = "$retainKeys";
const orderPrefix = "$setElementOrder/";
const deletePrefix = "$deleteFromPrimitiveList/";

/**
 * Merges a strategic merge patch into an object of a schema type, on a copy: lists merge by the keys the schema table gives.
 * Throws a StatusError for a malformed patch: 400, or 500 where Kubernetes has no better code for it. PatchError for what has no meaning here.
 */
export function applyStrategicMergePatch<T>(schemaName: string, target: unknown, patch: unknown): T {
  if (!isObject(patch)) throw badRequest("json: cannot unmarshal a patch that is no object");
  return mergeMap(isObject(target) ? (cloneJson(target) as JsonObject) : {}, cloneJson(patch) as JsonObject, structOf(schemaName)) as T;
}

const fault = (message: string): StatusError => new StatusError({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, code: 500 });

/** How the schema wants a field patched. */
interface PatchMeta {
  type: Type | undefined;
  replace: boolean;
  merge: boolean;
  mergeKey: string | undefined;
}

function patchMetaOf(type: Type | undefined, key: string): PatchMeta {
  const struct = type?.kind === "union" ? type.struct : type;
  if (struct?.kind === "struct") {
    const field = struct.fields.get(key);
    const strategies = field?.patchStrategy ?? [];
    return { type: field?.type, replace: strategies.includes("replace"), merge: strategies.includes("merge"), mergeKey: field?.patchMergeKey };
  }
  return { type: struct?.kind === "map" ? struct.value : undefined, replace: false, merge: false, mergeKey: undefined };
}

/** Merges `patch` into `original`; both are the caller's own copies. */
function mergeMap(original: JsonObject, patch: JsonObject, type: Type | undefined): JsonObject {
  if (Object.hasOwn(patch, patchDirective)) return obeyPatchDirective(patch);
  retainKeys(original, patch);
  mergeOrderedLists(original, patch, type);
  for (const [name, value] of Object.entries(patch)) {
    const isDeletion = name.startsWith(deletePrefix);
    const key = isDeletion ? name.slice(deletePrefix.length) : name;
    const current = Object.hasOwn(original, key) ? original[key] : undefined;
    if (value === null) delete original[key];
    else if (isDeletion) {
      if (Array.isArray(current) && Array.isArray(value)) original[key] = current.filter((item) => !value.includes(item));
    } else setOwn(original, key, mergeValue(current, value, patchMetaOf(type, key)));
  }
  return original;
}

function mergeValue(current: unknown, value: unknown, meta: PatchMeta): unknown {
  if (isObject(current) && isObject(value)) return meta.replace ? value : mergeMap(current, value, meta.type);
  if (Array.isArray(current) && Array.isArray(value)) return mergeSlice(current, value, meta);
  return withoutDirectives(value);
}

function obeyPatchDirective(patch: JsonObject): JsonObject {
  const directive = patch[patchDirective];
  if (directive === "delete") return {};
  if (directive !== "replace") throw fault(`unknown patch type: ${showGo(directive)} in map: ${showGo(patch)}`);
  delete patch[patchDirective];
  return patch;
}

/** `$retainKeys` drops the fields it doesn't list, as a union whose discriminator changes needs. */
function retainKeys(original: JsonObject, patch: JsonObject): void {
  const retained = patch[retainKeysDirective];
  if (retained === undefined) return;
  delete patch[retainKeysDirective];
  if (!Array.isArray(retained)) throw badRequest("invalid patch format of retainKeys");
  for (const [key, value] of Object.entries(patch)) {
    if (value === null || key.startsWith(deletePrefix) || key.startsWith(orderPrefix)) continue;
    if (!retained.includes(key)) throw badRequest("invalid patch format of retainKeys");
  }
  for (const key of Object.keys(original)) if (!retained.includes(key)) delete original[key];
}

/** Merges the lists for which the patch gives an order, and takes them out of the patch. */
function mergeOrderedLists(original: JsonObject, patch: JsonObject, type: Type | undefined): void {
  for (const directive of Object.keys(patch)) {
    if (!directive.startsWith(orderPrefix)) continue;
    const key = directive.slice(orderPrefix.length);
    const order = patch[directive], current = original[key], changes = patch[key];
    delete patch[directive];
    if (!Array.isArray(order)) throw fault(`expected a []interface {}, but received a ${goTypeOf(order)}`);
    if (changes !== undefined && changes !== null && !Array.isArray(changes)) throw badRequest("invalid patch format of setElementOrder list");
    if (changes === null || (!Array.isArray(current) && !changes)) continue;
    const meta = patchMetaOf(type, key);
    if (changes) checkOrder(changes, order, meta.mergeKey);
    const before = Array.isArray(current) ? current : [];
    const merged = !changes ? before : Array.isArray(current) ? mergeSlice(before, changes, meta) : (withoutDirectives(changes) as unknown[]);
    delete patch[key];
    original[key] = arrange(merged, order, before, meta.mergeKey);
  }
}

/** What the patch changes must be in the order list, in that order. */
function checkOrder(changes: readonly unknown[], order: readonly unknown[], mergeKey: string | undefined): void {
  let last = -1;
  for (const change of changes) {
    if (isObject(change) && change[patchDirective] === "delete") continue;
    const at = indexIn(order, change, mergeKey);
    if (at <= last) throw fault(`The order in patch list:\n${showGo(changes)}\n doesn't match $setElementOrder list:\n${showGo(order)}\n`);
    last = at;
  }
}

function mergeSlice(original: unknown[], patch: unknown[], meta: PatchMeta): unknown[] {
  if (!meta.merge) return patch;
  const sample = original[0] ?? patch[0];
  if (sample === undefined) return original;
  if (Array.isArray(sample)) throw new PatchError("lists of lists are not supported");
  if (!isObject(sample)) return arrange([...new Set([...original, ...patch])], patch, original, undefined);
  const { mergeKey } = meta;
  if (!mergeKey) throw fault("cannot merge lists without merge key");
  const { kept, changes } = obeyListDirectives(original, patch, mergeKey);
  const merged = [...kept];
  const item = meta.type?.kind === "list" ? meta.type.item : undefined;
  for (const change of changes) {
    requireKey(change, mergeKey);
    const at = indexIn(merged, change, mergeKey);
    if (at < 0) merged.push(withoutDirectives(change));
    else merged[at] = mergeMap(merged[at] as JsonObject, change, item);
  }
  return arrange(merged, changes, kept, mergeKey);
}

/** Elements with `$patch` delete what has their key, or make the rest of the patch the whole list. */
function obeyListDirectives(original: unknown[], patch: unknown[], mergeKey: string): { kept: unknown[]; changes: JsonObject[] } {
  let kept = original, replace = false;
  const changes: JsonObject[] = [];
  for (const element of patch) {
    if (!isObject(element)) throw fault(`list element types are not identical: ${showGo([original, patch])}`);
    switch (element[patchDirective]) {
      case undefined: changes.push(element); break;
      case "replace": replace = true; break;
      case "delete":
        requireKey(element, mergeKey);
        kept = kept.filter((existing) => !isObject(existing) || existing[mergeKey] !== element[mergeKey]);
        break;
      default: throw fault(`unknown patch type: ${showGo(element[patchDirective])} in map: ${showGo(element)}`);
    }
  }
  return replace ? { kept: changes.map((change) => withoutDirectives(change)), changes: [] } : { kept, changes };
}

function requireKey(element: JsonObject, mergeKey: string): void {
  if (!Object.hasOwn(element, mergeKey)) throw fault(`map: ${showGo(element)} does not contain declared merge key: ${mergeKey}`);
}

/** The patch's elements in its order, the others where they stood among them. */
function arrange(merged: unknown[], patchOrder: readonly unknown[], liveOrder: readonly unknown[], mergeKey: string | undefined): unknown[] {
  const [ofPatch, others] = partition(merged, patchOrder, mergeKey);
  return interleave(sortLike(others, liveOrder, mergeKey), sortLike(ofPatch, patchOrder, mergeKey), liveOrder, mergeKey);
}

/** What a value that nothing was there to merge with becomes: without nulls, directives, and elements marked for deletion. */
function withoutDirectives<V>(value: V): V {
  if (Array.isArray(value)) return value.filter((item) => !isObject(item) || !Object.hasOwn(item, patchDirective)).map((item: unknown) => withoutDirectives(item)) as V;
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const [key, inner] of Object.entries(value)) {
    if (inner === null || key === patchDirective || key === retainKeysDirective || key.startsWith(orderPrefix) || key.startsWith(deletePrefix)) continue;
    setOwn(result, key, withoutDirectives(inner));
  }
  return result as V;
}
