/**
 * The structure of a value as server-side apply sees it: which parts have an owner of their own and how list items are told apart.
 * Source: sigs.k8s.io/structured-merge-diff schema, https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy.
 */
export type MergeType = ScalarMergeType | MapMergeType | ListMergeType | UntypedMergeType;

export interface ScalarMergeType {
  readonly kind: "scalar";
}

/** A struct or a map. */
export interface MapMergeType {
  readonly kind: "map";
  readonly relationship: "granular" | "atomic";
  /** The type of a field or entry; undefined for a field that the type doesn't have. */
  field(name: string): MergeType | undefined;
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
