import type { FieldError } from "./field-errors.ts";
import type { Frozen, KubeObject } from "./meta.ts";
import type { ObjectSchema } from "./object-schema.ts";

/** One column of a server-side Table (`kubectl get`); `priority` 1 shows with `-o wide` only. */
export interface Column<T> {
  name: string;
  type: "string" | "integer" | "number" | "boolean" | "date";
  format?: string;
  description?: string;
  priority?: 0 | 1;
  /** `now` is in milliseconds, for ages. Cells are strings, numbers or booleans. */
  value(object: Frozen<T>, now: number): string | number | boolean | null;
}

/** How `/scale` (autoscaling/v1 Scale) maps onto a kind. */
export interface ScaleMapping<T> {
  getReplicas(object: Frozen<T>): number;
  setReplicas(object: T, replicas: number): void;
  /** Where that is, for managedFields. Default spec.replicas. */
  replicasPath?: readonly string[];
  statusReplicas(object: Frozen<T>): number;
  /** The serialised label selector, `app=web`. */
  selector(object: Frozen<T>): string;
}

/**
 * What Kubernetes calls a rest strategy: pure functions; `validate*` return all errors they find.
 * The registry has already set metadata (uid, creationTimestamp, generation…), applied `default` and validated ObjectMeta.
 */
export interface Strategy<T> {
  /** Clears what a client may not set on create, such as status; sets generation-like fields. */
  prepareForCreate?(object: T, context: WriteContext): void;
  /** Takes over from `old` what a client may not change through the main resource. Status is restored by the registry when `subresources.status`. */
  prepareForUpdate?(object: T, old: Frozen<T>): void;
  prepareForStatusUpdate?(object: T, old: Frozen<T>, context: WriteContext): void;
  validate?(object: Frozen<T>): FieldError[];
  validateUpdate?(object: Frozen<T>, old: Frozen<T>): FieldError[];
  validateStatusUpdate?(object: Frozen<T>, old: Frozen<T>): FieldError[];
  /** Subresources that are views of the object, such as approval; what each lets through is in `registry/subresources/projections.ts`. */
  views?: Readonly<Record<string, View<T>>>;
  /** Texts for `Warning:` headers. */
  warnings?(object: Frozen<T>, old?: Frozen<T>): string[];
  /** DELETE answers with the object that is gone, as for most kinds of storage, in place of a Status. */
  returnDeletedObject?: boolean;
  /** PUT creates a missing object (Lease, Event, Endpoints and a few more). */
  allowCreateOnUpdate?: boolean;
  /** PUT without a resourceVersion is accepted. Default true, as for most kinds. */
  allowUnconditionalUpdate?: boolean;
  /** What DELETE does to dependents when the client does not say. Default Background. */
  defaultPropagation?: "Background" | "Orphan";
  /** Graceful deletion: the seconds to grant, or undefined to delete at once. Pods only, today. */
  gracePeriod?(object: Frozen<T>, requested: number | undefined): number | undefined;
  /** What graceful deletion or finalisers need changed when deletion begins, e.g. a namespace's phase. */
  beginDeletion?(object: T): void;
  /** Deletion sets a time alone, neither grace nor generation: namespaces and definitions have storage of their own in Kubernetes. */
  deletionStampOnly?: boolean;
  /** Paths that clients can't set, and so don't own, by subresource ("" for the main resource). Default: status of the main resource, spec of status. */
  resetFields?: Readonly<Record<string, readonly (readonly string[])[]>>;
  /**
   * Whether a write may be lost in a crash: it lives in memory until the next one that may not, or until the server stops. A heartbeat, say.
   * A creation has no `old`, a deletion no `object`.
   */
  isVolatile?(object: Frozen<T> | undefined, old: Frozen<T> | undefined): boolean;
  /** Overrides the rule "metadata.generation rises when spec changes". */
  generationChanged?(object: Frozen<T>, old: Frozen<T>): boolean;
}

/** Who writes, and when. */
export interface WriteContext {
  user: { readonly name: string; readonly uid?: string; readonly groups: readonly string[]; readonly extra?: Readonly<Record<string, readonly string[]>> };
  /** Milliseconds. */
  now: number;
}

export interface View<T> {
  prepareForUpdate?(object: T, old: Frozen<T>, context: WriteContext): void;
  validateUpdate?(object: Frozen<T>, old: Frozen<T>): FieldError[];
}

export interface FieldSelectors<T> {
  [field: string]: (object: Frozen<T>) => string;
}

/** All there is to say about a kind of the API. Everything generic reads this card; nothing switches on kinds. */
export interface ResourceCard<T extends KubeObject> {
  group: string;
  version: string;
  kind: string;
  /** Of lists, where it isn't the kind and `List`. */
  listKind?: string;
  /** Plural, lower case: the path segment. */
  resource: string;
  singular: string;
  scope: "Namespaced" | "Cluster";
  shortNames: readonly string[];
  categories: readonly string[];
  /** Verbs offered. Default: all eight of a stored resource. Review kinds offer `create` alone and are not stored. */
  verbs: readonly Verb[];
  /** `status` and `scale` are generic; `others` name what `registry/subresources` adds (pods/log, pods/binding, …). */
  subresources: { status?: boolean; scale?: ScaleMapping<T>; others?: readonly string[] };
  /** Said as a warning with every answer, for kinds that Kubernetes advises against. */
  deprecation?: string;
  /** The type in the schema table, such as `io.k8s.api.apps.v1.ReplicaSet`. */
  schema: string;
  /** Fills in defaults, in place; idempotent. */
  default?(object: T): void;
  strategy: Strategy<T>;
  /** Beyond metadata.name and metadata.namespace, which every kind has. */
  fieldSelectors: FieldSelectors<T>;
  /** Without Name first and Age last: add them with `nameColumn` and `ageColumn`. */
  columns: readonly Column<T>[];
  /**
   * The smallest valid object, for contract tests; undefined for review kinds. A kind whose names follow from its content, such as an
   * address, makes a name of its own out of the one given, the same at each call.
   */
  example?(name?: string): T;
  /** ObjectMeta.name rule; default DNS subdomain. Returns messages. */
  validateName?(name: string, prefix: boolean): string[];
  /** What the answer about an invalid object calls it, where that isn't the card's own group and kind. */
  invalidAs?: { group: string; kind: string };
  /** Lets pass finalizers that are neither Kubernetes' own nor begin with a domain and a slash, as definitions and custom resources may have. */
  anyFinalizer?: boolean;
  /** How objects are read and merged where that isn't the schema table's business: custom resources. */
  objectSchema?: ObjectSchema;
  /** Where the objects are stored under another name or in another version: autoscaling/v1 of v2, events.k8s.io of core, versions of a CRD. */
  stored?: StoredForm<T>;
  /** Discovery's order of a group's versions and of groups, where it isn't the usual one; see `discovery/groups.ts`. */
  priority?: { group: number; version: number };
}

/** One kind's form in storage, seen from the version that a card serves. Conversion is synchronous unless a webhook does it. */
export interface StoredForm<T> {
  /** What storage keys begin with. */
  group: string;
  resource: string;
  /** What writes are stored as, where that isn't the version served. */
  version?: string;
  /** All versions that may be found in storage, where more are known than are served. */
  decodes?: readonly string[];
  /** Same order and length. The same object comes out for the same object in, so that encoders may cache by identity. */
  read(objects: readonly Frozen<KubeObject>[]): readonly Frozen<T>[] | Promise<readonly Frozen<T>[]>;
  /** May take over `object`. */
  write(object: T): KubeObject | Promise<KubeObject>;
  /** Whether `object` is stored in an older version than writes are: any write then brings it up to date. */
  isStale?(object: Frozen<KubeObject>): boolean;
}

export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection";
export const allVerbs: readonly Verb[] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

// biome-ignore lint: the one place for `any`: a table of cards of different kinds
export type AnyResource = ResourceCard<any>;

type Optional = "singular" | "shortNames" | "categories" | "verbs" | "subresources" | "strategy" | "fieldSelectors" | "columns";
export type ResourceDefinition<T extends KubeObject> = Omit<ResourceCard<T>, Optional> & Partial<Pick<ResourceCard<T>, Optional>>;

/** Completes a card with what most kinds share. */
export function defineResource<T extends KubeObject>(definition: ResourceDefinition<T>): ResourceCard<T> {
  return {
    singular: definition.kind.toLowerCase(), shortNames: [], categories: [], verbs: allVerbs, subresources: {}, strategy: {}, fieldSelectors: {},
    columns: [nameColumn<T>(), ageColumn<T>()],
    ...definition,
  };
}

export const nameColumn = <T extends KubeObject>(): Column<T> => ({
  name: "Name", type: "string", format: "name",
  description: "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names",
  value: (object) => (object as Frozen<KubeObject>).metadata.name ?? "",
});

export const ageColumn = <T extends KubeObject>(): Column<T> => ({
  name: "Age", type: "string",
  description: "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
  value: (object, now) => age((object as Frozen<KubeObject>).metadata.creationTimestamp, now),
});

/** `apps/v1`, or `v1` for the core group. */
export const apiVersionOf = (card: { group: string; version: string }): string => (card.group ? `${card.group}/${card.version}` : card.version);

/** A timestamp's age as kubectl prints it: `5s`, `3m12s`, `2d4h`. */
export function age(timestamp: string | null | undefined, now: number): string {
  return timestamp ? humanDuration(now - Date.parse(timestamp)) : "<unknown>";
}

/** k8s.io/apimachinery/pkg/util/duration HumanDuration: about two or three significant figures. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  const minutes = Math.trunc(seconds / 60), hours = Math.trunc(minutes / 60), days = Math.trunc(hours / 24);
  const pair = (big: number, unit: string, small: number, smallUnit: string): string => (small === 0 ? `${big}${unit}` : `${big}${unit}${small}${smallUnit}`);
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return pair(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return `${minutes}m`;
  if (hours < 8) return pair(hours, "h", minutes % 60, "m");
  if (hours < 48) return `${hours}h`;
  if (hours < 192) return pair(days, "d", hours % 24, "h");
  if (days < 365 * 2) return `${days}d`;
  const years = Math.trunc(days / 365);
  return days < 365 * 8 ? pair(years, "y", days % 365, "d") : `${years}y`;
}
