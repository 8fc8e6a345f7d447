import type { ManagedFieldsEntry } from "../../apis/generated/meta/v1.ts";
import type { Frozen, KubeObject } from "../meta.ts";
import { isObject, type JsonObject } from "../own.ts";
import { badRequest, StatusError } from "../status.ts";
import { compare, type Comparison } from "./compare.ts";
import { difference, emptySet, has, intersection, isEmpty, paths, setOf, showPath, union, type FieldSet } from "./field-set.ts";
import { capUpdateManagers, identify, mostUpdateManagers, readManagers, writeManagers, type ManagerEntry, type Managers } from "./managers.ts";
import type { MergeType } from "./merge-type.ts";
import { fieldSetOf, typeErrors } from "./typed.ts";
import { applyTo, ApplyConflict, disown, withoutReset } from "./updater.ts";

/** One write, as managedFields record it. */
export interface ManagedWrite {
  type: MergeType;
  group: string;
  version: string;
  kind: string;
  manager: string;
  /** Empty for the main resource. */
  subresource: string;
  /** What this endpoint doesn't let through. */
  reset: FieldSet;
  /** RFC 3339. */
  now: string;
}

const beforeFirstApply = "before-first-apply";
const lastAppliedAnnotation = "kubectl.kubernetes.io/last-applied-configuration";
/** Nobody owns these. */
const stripped = setOf(...["apiVersion", "kind", "metadata"].map((name) => [`f:${name}`]), ...["name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields", "resourceVersion"].map((name) => ["f:metadata", `f:${name}`]));

const versionOf = ({ group, version }: ManagedWrite): string => (group ? `${group}/${version}` : version);
const selfOf = (write: ManagedWrite, operation: "Apply" | "Update", manager = write.manager || "unknown"): Omit<ManagerEntry, "set"> =>
  ({ manager, operation, apiVersion: versionOf(write), subresource: write.subresource, time: write.now });

/**
 * Records in `object.metadata.managedFields` what a create, update or patch changed. `live` is missing on create. A client may set managedFields
 * through the main resource, and end the recording with an empty list. Source: k8s.io/apimachinery pkg/util/managedfields.
 */
export function trackUpdate(live: Frozen<KubeObject> | undefined, object: KubeObject, write: ManagedWrite): void {
  const given = object.metadata.managedFields, known = live?.metadata.managedFields;
  const managers = write.subresource ? readManagers(known, true) : managersOf(given, known);
  // With the same managers the two can be compared as they are.
  setManagers(object, known as ManagedFieldsEntry[] | undefined);
  const comparison = compare(live ?? nothing, object, write.type);
  const untouched = isEmpty(comparison.added) && isEmpty(comparison.modified) && isEmpty(comparison.removed);
  const entries = live && managers.size === 0 ? undefined
    : untouched && (write.subresource || !given || Bun.deepEquals(given, known)) ? (known as ManagedFieldsEntry[] | undefined)
    : writeManagers(updated(managers, comparison, write, selfOf(write, "Update")));
  setManagers(object, entries);
}

const nothing = { metadata: {} };

function setManagers({ metadata }: KubeObject, entries: ManagedFieldsEntry[] | undefined): void {
  if (entries) metadata.managedFields = entries;
  else if (metadata.managedFields) delete metadata.managedFields;
}

function managersOf(given: ManagedFieldsEntry[] | undefined, known: Frozen<ManagedFieldsEntry[]> | undefined): Managers {
  if (given?.length === 0 || (given?.length === 1 && Object.keys(given[0]!).length === 0)) return new Map();
  if (given && !Bun.deepEquals(given, known)) {
    try {
      return readManagers(given, false);
    } catch {
      // What can't be read is as if it hadn't been sent.
    }
  }
  return readManagers(known, true);
}

function withoutManagers(live: Frozen<KubeObject> | undefined): unknown {
  if (!live?.metadata.managedFields) return live ?? { metadata: {} };
  const { managedFields: _, ...metadata } = live.metadata;
  return { ...live, metadata };
}

function updated(managers: Managers, comparison: Comparison, write: ManagedWrite, self: Omit<ManagerEntry, "set">): Managers {
  if (changesItsOwn(managers, comparison, write, self)) return managers;
  disown(managers, withoutReset(comparison, write.reset), undefined, true);
  const { added, modified } = comparison;
  const set = difference(difference(union(modified, added), write.reset, true), stripped);
  const id = identify(self), before = managers.get(id);
  if (!isEmpty(set)) managers.set(id, { ...self, set: union(before?.set ?? emptySet, set), ...(before?.source ? { source: before.source } : {}) });
  capUpdateManagers(managers);
  return managers;
}

/** Most writes change what their manager, and nobody else, owns already: then it is the time of its entry alone that changes. False when there is more to it. */
function changesItsOwn(managers: Managers, { added, modified, removed }: Comparison, { reset }: ManagedWrite, self: Omit<ManagerEntry, "set">): boolean {
  if (managers.size > mostUpdateManagers || !isEmpty(added) || !isEmpty(removed) || isEmpty(modified) || difference(difference(modified, reset, true), stripped) !== modified) return false;
  const id = identify(self), own = managers.get(id);
  if (!own || union(own.set, modified) !== own.set) return false;
  for (const [other, { set }] of managers) if (other !== id && (isEmpty(set) || !isEmpty(intersection(set, modified)))) return false;
  managers.set(id, { ...own, ...self });
  return true;
}

/** The object that a server-side apply makes of `live`, with its managedFields; `live` is missing on create. The result may share parts with `live`. */
export function applyConfiguration(live: Frozen<KubeObject> | undefined, config: JsonObject, write: ManagedWrite, force: boolean): KubeObject {
  checkConfiguration(config, write);
  const managers = readManagers(live?.metadata.managedFields, true);
  const before = withoutManagers(live);
  if (live && managers.size === 0) updated(managers, compare({ metadata: {} }, before, write.type), write, selfOf(write, "Update", beforeFirstApply));
  const self = selfOf(write, "Apply"), id = identify(self);
  const attempt = (forced: boolean): { object: KubeObject; managers: Managers } => {
    const changed: Managers = new Map(managers);
    return { object: applyTo(before, config, write.type, changed, id, self, write.reset, forced) as KubeObject, managers: changed };
  };
  const result = migrating(attempt, force, write, before as JsonObject);
  return finish(result, id, before, config, write);
}

function finish({ object: merged, managers }: { object: KubeObject; managers: Managers }, id: string, before: unknown, config: JsonObject, write: ManagedWrite): KubeObject {
  const object = { ...merged, metadata: { ...merged.metadata } };
  const entry = managers.get(id)!;
  const set = difference(entry.set, stripped);
  if (isEmpty(set)) managers.delete(id);
  else managers.set(id, { ...entry, set, time: Bun.deepEquals(before, merged) ? entry.time : write.now });
  const { annotations } = object.metadata;
  if (write.manager === "kubectl" && annotations?.[lastAppliedAnnotation]) object.metadata.annotations = { ...annotations, [lastAppliedAnnotation]: lastApplied(config) };
  const entries = writeManagers(managers);
  if (entries) object.metadata.managedFields = entries;
  return object;
}

function lastApplied(config: JsonObject): string {
  const metadata = isObject(config.metadata) ? config.metadata : {};
  const { [lastAppliedAnnotation]: _, ...annotations } = isObject(metadata.annotations) ? metadata.annotations : {};
  return `${JSON.stringify({ ...config, metadata: { ...metadata, ...(metadata.annotations ? { annotations } : {}) } })}\n`;
}

/** `kubectl apply --server-side` takes over what client-side apply left, without a conflict. */
function migrating<R>(attempt: (force: boolean) => R, force: boolean, write: ManagedWrite, live: JsonObject): R {
  try {
    return attempt(force);
  } catch (error) {
    if (!(error instanceof ApplyConflict)) throw error;
    const allowed = write.manager === "kubectl" ? ownedByLastApplied(live, write) : undefined;
    if (!allowed) throw conflictStatus(error.conflicts);
    const left = new Map([...error.conflicts].map(([id, set]) => [id, setOf(...paths(set).filter((path) => !has(allowed, path)))] as const).filter(([, set]) => !isEmpty(set)));
    if (left.size) throw conflictStatus(left);
    return attempt(true);
  }
}

function ownedByLastApplied(live: JsonObject, write: ManagedWrite): FieldSet | undefined {
  const text = (live as unknown as KubeObject).metadata.annotations?.[lastAppliedAnnotation];
  if (!text) return undefined;
  try {
    const last = JSON.parse(text) as JsonObject;
    if (last.apiVersion !== versionOf(write) || typeErrors(last, write.type).length) return undefined;
    const { added, modified, removed } = compare(last, live, write.type);
    return [modified, added, removed].reduce((set, gone) => difference(set, gone), fieldSetOf(last, write.type));
  } catch {
    return undefined;
  }
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

function checkConfiguration(config: JsonObject, write: ManagedWrite): void {
  const { metadata } = config, apiVersion = textOf(config.apiVersion), kind = textOf(config.kind);
  const gvk = (group: string, version: string, of: string): string => `${group}/${version}, Kind=${of}`;
  if (apiVersion !== versionOf(write) || kind !== write.kind) {
    const slash = apiVersion.indexOf("/");
    throw badRequest(`invalid object type: ${gvk(slash < 0 ? "" : apiVersion.slice(0, slash), apiVersion.slice(slash + 1), kind)}`);
  }
  if (isObject(metadata) && metadata.managedFields !== undefined && metadata.managedFields !== null) throw badRequest("metadata.managedFields must be nil");
  const errors = typeErrors(config, write.type);
  if (errors.length === 0) return;
  const { namespace = "", name = "" } = (isObject(metadata) ? metadata : {}) as { namespace?: string; name?: string };
  const text = errors.length === 1 ? errors[0]! : ["errors:", ...errors.map((error) => `  ${error}`)].join("\n");
  throw failure(500, "", `failed to create typed patch object (${namespace}/${name}; ${gvk(write.group, write.version, write.kind)}): ${text}`);
}

function failure(code: number, reason: string, message: string, causes?: { reason: string; message: string; field: string }[]): StatusError {
  return new StatusError({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, ...(reason ? { reason } : {}), ...(causes ? { details: { causes } } : {}), code });
}

/** 409, one cause per field. */
function conflictStatus(conflicts: ReadonlyMap<string, FieldSet>): StatusError {
  const byManager = [...conflicts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, set]) => ({ who: showManager(id), fields: paths(set).map(showPath) }));
  const causes = byManager.flatMap(({ who, fields }) => fields.map((field) => ({ reason: "FieldManagerConflict", message: `conflict with ${who}`, field })));
  const text = causes.length === 1 ? `1 conflict: ${causes[0]!.message}: ${causes[0]!.field}`
    : `${causes.length} conflicts: ${byManager.map(({ who, fields }) => [`conflicts with ${who}:`, ...fields.map((field) => `- ${field}`)].join("\n")).join("\n")}`;
  return failure(409, "Conflict", `Apply failed with ${text}`, causes);
}

function showManager(id: string): string {
  const { manager = "", operation, apiVersion, subresource } = JSON.parse(id) as Partial<ManagerEntry>;
  const named = JSON.stringify(manager) + (subresource ? ` with subresource ${JSON.stringify(subresource)}` : "");
  return operation === "Update" ? `${named} using ${apiVersion}` : named;
}
