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
  for (const [i, { manager = "", operation = "", apiVersion = "", subresource = "", time, fieldsType, fieldsV1 }] of (entries ?? []).entries()) {
    if (operation !== "Apply" && operation !== "Update") throw new Error("operation must be `Apply` or `Update`");
    if (!apiVersion) throw new Error("apiVersion must not be empty");
    if (!fieldsType) throw new Error(`missing fieldsType in managed fields entry ${i}`);
    if (fieldsType !== "FieldsV1") throw new Error(`invalid fieldsType ${JSON.stringify(fieldsType)} in managed fields entry ${i}`);
    const set = fieldsV1 === undefined ? emptySet : trusted ? (fieldsV1 as FieldSet) : parseFields(fieldsV1);
    const entry = { manager, operation, apiVersion, subresource, time: time ?? undefined, set };
    managers.set(identify(entry), entry);
  }
  return managers;
}

/** In the order Kubernetes writes them; undefined when there are none. */
export function writeManagers(managers: Managers): ManagedFieldsEntry[] | undefined {
  const entries = [...managers.values()].filter(({ set }) => !isEmpty(set));
  if (entries.length === 0) return undefined;
  const rank = ({ operation, time, manager, apiVersion, subresource }: ManagerEntry): string => [operation, time ?? "", manager, apiVersion, subresource].join("\0");
  return entries.sort((a, b) => (rank(a) < rank(b) ? -1 : 1)).map(({ manager, operation, apiVersion, subresource, time, set }) => ({
    ...(manager ? { manager } : {}), operation, apiVersion, ...(time ? { time } : {}), fieldsType: "FieldsV1", fieldsV1: shared(set), ...(subresource ? { subresource } : {}),
  }));
}

const known = new Map<bigint, WeakRef<FieldSet>>();
const gone = new FinalizationRegistry<bigint>((hash) => {
  if (!known.get(hash)?.deref()) known.delete(hash);
});

/** One copy of equal sets: the pods of a ReplicaSet have the same. */
function shared(set: FieldSet): FieldSet {
  const ordered = sorted(set);
  const hash = BigInt(Bun.hash(JSON.stringify(ordered)));
  const same = known.get(hash)?.deref();
  if (same && Bun.deepEquals(same, ordered)) return same;
  known.set(hash, new WeakRef(ordered));
  gone.register(ordered, hash);
  return ordered;
}

const mostUpdateManagers = 10;
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
