import type { ManagedFieldsEntry } from "../../apis/generated/meta/v1.ts";
import type { Frozen } from "../meta.ts";
import { emptySet, isEmpty, parseFields, sorted, union, type FieldSet } from "./field-set.ts";

/** What one manager owns by one operation. */
export interface ManagerEntry {
  readonly manager: string;
  readonly operation: string;
  readonly apiVersion: string;
  readonly subresource: string;
  readonly time: string | undefined;
  readonly set: FieldSet;
  /** What the entry was read from: what of it has not changed is written again as it is. */
  readonly source?: Frozen<ManagedFieldsEntry>;
}

/** An object's managers by identifier. */
export type Managers = Map<string, ManagerEntry>;

/** Appliers stay the same through versions, updaters don't. The text decides in which order conflicts are told. */
export function identify({ manager, operation, apiVersion, subresource }: Pick<ManagerEntry, "manager" | "operation" | "apiVersion" | "subresource">): string {
  return JSON.stringify({ manager: manager || undefined, operation, apiVersion: operation === "Apply" ? undefined : apiVersion, subresource: subresource || undefined });
}

type Entries = Frozen<ManagedFieldsEntry[]> | undefined;

/** `trusted`: written by this server, so that FieldsV1 is a set as it stands. Throws an Error for entries that can't be. */
export function readManagers(entries: Entries, trusted: boolean): Managers {
  const managers: Managers = new Map();
  for (const [i, source] of (entries ?? []).entries()) {
    const { manager = "", operation = "", apiVersion = "", subresource = "", time, fieldsType, fieldsV1 } = source;
    if (operation !== "Apply" && operation !== "Update") throw new Error("operation must be `Apply` or `Update`");
    if (!apiVersion) throw new Error("apiVersion must not be empty");
    if (!fieldsType) throw new Error(`missing fieldsType in managed fields entry ${i}`);
    if (fieldsType !== "FieldsV1") throw new Error(`invalid fieldsType ${JSON.stringify(fieldsType)} in managed fields entry ${i}`);
    const set = fieldsV1 === undefined ? emptySet : trusted ? (fieldsV1 as FieldSet) : parseFields(fieldsV1);
    const entry = { manager, operation, apiVersion, subresource, time: time ?? undefined, set, ...(trusted ? { source } : {}) };
    managers.set(identify(entry), entry);
  }
  return managers;
}

/** In the order Kubernetes writes them; undefined when there are none. */
export function writeManagers(managers: Managers): ManagedFieldsEntry[] | undefined {
  const entries = [...managers.values()].filter(({ set }) => !isEmpty(set));
  if (entries.length === 0) return undefined;
  const rank = ({ operation, time, manager, apiVersion, subresource }: ManagerEntry): string => [operation, time ?? "", manager, apiVersion, subresource].join("\0");
  return entries.sort((a, b) => (rank(a) < rank(b) ? -1 : 1)).map(written);
}

function written(entry: ManagerEntry): ManagedFieldsEntry {
  const { manager, operation, apiVersion, subresource, time, set, source } = entry;
  if (source && source.fieldsV1 === set && (source.time ?? undefined) === time && source.apiVersion === apiVersion && (source.manager ?? "") === manager && (source.subresource ?? "") === subresource && source.operation === operation) return source as ManagedFieldsEntry;
  return { ...(manager ? { manager } : {}), operation, apiVersion, ...(time ? { time } : {}), fieldsType: "FieldsV1", fieldsV1: source?.fieldsV1 === set ? set : sorted(set), ...(subresource ? { subresource } : {}) };
}

/** Updaters beyond these are merged. */
export const mostUpdateManagers = 10;
const ancient = "ancient-changes";

/** Merges the oldest updaters of a version until there are ten. Source: k8s.io/apimachinery managedfields/internal/capmanagers.go. */
export function capUpdateManagers(managers: Managers): void {
  const updaters = [...managers].filter(([, { operation }]) => operation === "Update");
  let count = updaters.length;
  if (count <= mostUpdateManagers) return;
  updaters.sort(([a, { time: was = "" }], [b, { time: is = "" }]) => (was === is ? (a < b ? -1 : 1) : was < is ? -1 : 1));
  const firsts = new Map<string, string>();
  for (const [id, entry] of updaters) {
    if (count <= mostUpdateManagers) return;
    const bucket = { manager: ancient, operation: "Update", apiVersion: entry.apiVersion, subresource: "" };
    const bucketId = identify(bucket), first = firsts.get(entry.apiVersion);
    if (first === undefined) {
      firsts.set(entry.apiVersion, id);
      continue;
    }
    const before = managers.get(bucketId)?.set ?? managers.get(first)!.set;
    if (!managers.has(bucketId)) managers.delete(first);
    managers.delete(id);
    managers.set(bucketId, { ...bucket, time: entry.time, set: union(entry.set, before) });
    count--;
  }
}
