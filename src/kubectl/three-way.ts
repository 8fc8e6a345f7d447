import { isObject, setOwn, type JsonObject } from "../apimachinery/own.ts";
import { hasType, structOf, type Type } from "../apimachinery/schema/schema.ts";
import { parseApiVersion } from "./discovery.ts";

// The patch of client-side apply: from what was applied last time, what is wanted now and what the server has.
// https://kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config/#how-apply-calculates-differences-and-merges-changes

/** The struct of a built-in kind, whose lists know merge keys; undefined for custom resources. */
export function schemaOf(apiVersion: string, kind: string): Type | undefined {
  const { group, version } = parseApiVersion(apiVersion);
  const name = group === "apiextensions.k8s.io" ? `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.${version}.${kind}`
    : group === "apiregistration.k8s.io" ? `io.k8s.kube-aggregator.pkg.apis.apiregistration.${version}.${kind}`
    : !group.includes(".") || group.endsWith(".k8s.io") ? `io.k8s.api.${group.split(".")[0] || "core"}.${version}.${kind}` : "";
  return hasType(name) ? structOf(name) : undefined;
}

/**
 * What changes `current` so that it holds what `modified` says, without what `original` said and `modified` no longer does.
 * With a `type` a strategic merge patch, without one a JSON merge patch. An empty object when nothing is to be done.
 */
export function threeWayPatch(original: JsonObject, modified: JsonObject, current: JsonObject, type: Type | undefined): JsonObject {
  const changes = diffMaps(current, modified, type, "changes");
  const deletions = diffMaps(original, modified, type, "deletions");
  return join(changes, deletions, type);
}

type Wanted = "changes" | "deletions";

/** How the schema wants a field patched. */
interface FieldRules { item: Type | undefined; merge: boolean; retainKeys: boolean; replace: boolean; mergeKey: string | undefined; value: Type | undefined }

function rulesOf(type: Type | undefined, key: string): FieldRules {
  const struct = type?.kind === "union" ? type.struct : type;
  if (struct?.kind === "struct") {
    const field = struct.fields.get(key);
    const strategies = field?.patchStrategy ?? [];
    return {
      value: field?.type, item: field?.type.kind === "list" ? field.type.item : undefined, mergeKey: field?.patchMergeKey,
      merge: strategies.includes("merge"), retainKeys: strategies.includes("retainKeys"), replace: strategies.includes("replace"),
    };
  }
  return { value: struct?.kind === "map" ? struct.value : undefined, item: undefined, merge: false, retainKeys: false, replace: false, mergeKey: undefined };
}

function diffMaps(before: JsonObject, after: JsonObject, type: Type | undefined, wanted: Wanted, retainKeys = false): JsonObject {
  const patch: JsonObject = {};
  for (const [key, value] of Object.entries(after)) {
    const old = Object.hasOwn(before, key) ? before[key] : undefined;
    const rules = rulesOf(type, key);
    if (isObject(old) && isObject(value) && !rules.replace) {
      const inner = diffMaps(old, value, rules.value, wanted, rules.retainKeys);
      if (Object.keys(inner).length) setOwn(patch, key, inner);
    } else if (Array.isArray(old) && Array.isArray(value) && rules.merge) {
      diffLists(patch, key, old, value, rules, wanted);
    } else if (wanted === "changes" && !Bun.deepEquals(old, value) && !(old === undefined && value === null)) {
      setOwn(patch, key, value);
    }
  }
  if (wanted === "deletions") for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) setOwn(patch, key, null);
  if (retainKeys && Object.keys(patch).length) patch["$retainKeys"] = Object.keys(after).sort();
  return patch;
}

/** Adds the patch of a list that is merged, with the order it should have. */
function diffLists(patch: JsonObject, key: string, before: unknown[], after: unknown[], rules: FieldRules, wanted: Wanted): void {
  const { mergeKey } = rules;
  const byKey = mergeKey !== undefined && [...before, ...after].every(isObject);
  const changed: unknown[] = byKey ? diffItems(before as JsonObject[], after as JsonObject[], rules, mergeKey, wanted) : wanted === "changes" ? after.filter((item) => !before.includes(item)) : [];
  const removed = byKey || wanted === "changes" ? [] : before.filter((item) => !after.includes(item));
  if (changed.length) patch[key] = changed;
  if (removed.length) patch[`$deleteFromPrimitiveList/${key}`] = removed;
  const keyOf = (item: unknown): unknown => (byKey ? (item as JsonObject)[mergeKey] : item);
  const sameOrder = before.length === after.length && after.every((item, index) => keyOf(item) === keyOf(before[index]));
  if (after.length && (changed.length || removed.length || (wanted === "changes" && !sameOrder))) patch[`$setElementOrder/${key}`] = byKey ? after.map((item) => ({ [mergeKey]: keyOf(item) })) : after;
}

function diffItems(before: readonly JsonObject[], after: readonly JsonObject[], rules: FieldRules, mergeKey: string, wanted: Wanted): JsonObject[] {
  const old = new Map(before.map((each) => [each[mergeKey], each]));
  const kept = new Set(after.map((each) => each[mergeKey]));
  const changed = after.flatMap((each) => {
    const previous = old.get(each[mergeKey]);
    if (!previous) return wanted === "changes" ? [each] : [];
    const inner = diffMaps(previous, each, rules.item, wanted, rules.retainKeys);
    return Object.keys(inner).length ? [{ ...inner, [mergeKey]: each[mergeKey] }] : [];
  });
  const removed = wanted === "deletions" ? before.filter((each) => !kept.has(each[mergeKey])).map((each) => ({ $patch: "delete", [mergeKey]: each[mergeKey] })) : [];
  return [...changed, ...removed];
}

/** Two patches as one: what both change inside is joined. */
function join(changes: JsonObject, deletions: JsonObject, type: Type | undefined): JsonObject {
  const joined: JsonObject = { ...changes };
  for (const [key, value] of Object.entries(deletions)) {
    const present = Object.hasOwn(joined, key) ? joined[key] : undefined;
    const { value: inner, item, mergeKey } = rulesOf(type, key);
    if (isObject(present) && isObject(value)) setOwn(joined, key, join(present, value, inner));
    else if (Array.isArray(present) && Array.isArray(value)) {
      // Lists of the same order, or of items by key; what is deleted stands behind.
      if (!key.startsWith("$") && mergeKey !== undefined) joined[key] = joinLists(present as JsonObject[], value as JsonObject[], item, mergeKey, changes[`$setElementOrder/${key}`] ?? deletions[`$setElementOrder/${key}`]);
    } else setOwn(joined, key, value);
  }
  return joined;
}

function joinLists(changes: readonly JsonObject[], deletions: readonly JsonObject[], item: Type | undefined, mergeKey: string, order: unknown): JsonObject[] {
  const places = new Map((order as JsonObject[] | undefined)?.map((each, index) => [each[mergeKey], index]));
  const merged = changes.map((change) => {
    const same = deletions.find((each) => each[mergeKey] === change[mergeKey]);
    return same ? join(change, same, item) : change;
  });
  const more = deletions.filter((each) => !changes.some((change) => change[mergeKey] === each[mergeKey]));
  const placeOf = (each: JsonObject): number => places.get(each[mergeKey]) ?? Number.POSITIVE_INFINITY;
  return [...merged, ...more].sort((a, b) => (placeOf(a) === placeOf(b) ? 0 : placeOf(a) - placeOf(b)));
}
