/**
 * The structure of a value as server-side apply sees it: which parts have an owner of their own and how list items are told apart.
 * Source: sigs.k8s.io/structured-merge-diff schema, https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy.
 */
export type MergeType = ScalarMergeType | MapMergeType | ListMergeType | UntypedMergeType;

export interface ScalarMergeType {
  readonly kind: "scalar";
  /** What an applied value must be; absent where anything goes. */
  readonly scalar?: "string" | "numeric" | "boolean";
}

/** A struct or a map. */
export interface MapMergeType {
  readonly kind: "map";
  readonly relationship: "granular" | "atomic";
  /** The type of a field or entry; undefined for a field that the type doesn't have. */
  field(name: string): MergeType | undefined;
  /** Whether the type itself names this field, as structs do and maps of labels don't. Absent: it names all that `field` knows. */
  declares?(name: string): boolean;
  /** Fields that an object always has, whether it was given them or not, with the value of one left alone. */
  readonly zeros?: ReadonlyMap<string, unknown>;
}

export interface ListMergeType {
  readonly kind: "list";
  readonly relationship: "atomic" | "set" | "map";
  /** For `map`: the fields that identify an item, with what a missing one means. */
  readonly keys: readonly { readonly name: string; readonly default?: unknown }[];
  readonly item: MergeType;
}

/** Nothing is known: objects are granular maps, lists are atomic. */
export interface UntypedMergeType {
  readonly kind: "untyped";
}

const untyped: UntypedMergeType = { kind: "untyped" };
const untypedMap: MapMergeType = { kind: "map", relationship: "granular", field: () => untyped, declares: () => false };
const leaf: ScalarMergeType = { kind: "scalar" };

/** What `type` comes to for a value: an untyped object is a map, anything else untyped has no parts. */
export function settled(type: MergeType, value: unknown): ScalarMergeType | MapMergeType | ListMergeType {
  if (type.kind !== "untyped") return type;
  return typeof value === "object" && value !== null && !Array.isArray(value) ? untypedMap : leaf;
}

export const declares = (type: MapMergeType, name: string): boolean => (type.declares ? type.declares(name) : type.field(name) !== undefined);
