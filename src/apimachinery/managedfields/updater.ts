import { compare, type Comparison } from "./compare.ts";
import { difference, emptySet, intersection, isEmpty, union, withNamedFields, type FieldSet } from "./field-set.ts";
import type { ManagerEntry, Managers } from "./managers.ts";
import type { MergeType } from "./merge-type.ts";
import { fieldSetOf, merge, removeItems } from "./typed.ts";

/** Conflicts by the identifier of the manager that owns the fields. */
export class ApplyConflict extends Error {
  override readonly name = "ApplyConflict";
  constructor(readonly conflicts: ReadonlyMap<string, FieldSet>) {
    super("apply conflict");
  }
}

/**
 * Takes from every manager but `self` what a change gave to another value or removed. Throws ApplyConflict unless `force`.
 * Source: structured-merge-diff merge/update.go.
 */
export function disown(managers: Managers, { added, modified, removed }: Comparison, self: string | undefined, force: boolean): void {
  const changed = union(modified, added);
  const conflicts = new Map<string, FieldSet>();
  for (const [id, { set }] of managers) {
    const taken = id === self ? emptySet : intersection(set, changed);
    if (!isEmpty(taken)) conflicts.set(id, taken);
  }
  if (!force && conflicts.size) throw new ApplyConflict(conflicts);
  for (const [id, entry] of managers) {
    if (id === self) continue;
    const set = difference(difference(entry.set, conflicts.get(id) ?? emptySet), removed);
    if (isEmpty(set)) managers.delete(id);
    else if (set !== entry.set) managers.set(id, { ...entry, set });
  }
}

/** A comparison without what the endpoint resets anyway. */
export function withoutReset({ added, modified, removed }: Comparison, reset: FieldSet): Comparison {
  if (isEmpty(reset)) return { added, modified, removed };
  return { added: difference(added, reset, true), modified: difference(modified, reset, true), removed: difference(removed, reset, true) };
}

/** The live object with a manager's configuration merged in, and `managers` changed accordingly. */
export function applyTo(live: unknown, config: unknown, type: MergeType, managers: Managers, id: string, self: Omit<ManagerEntry, "set">, reset: FieldSet, force: boolean): unknown {
  const last = managers.get(id)?.set;
  managers.set(id, { ...self, time: managers.get(id)?.time, set: difference(fieldSetOf(config, type), reset, true) });
  const merged = prune(merge(live, config, type), type, managers, last);
  disown(managers, withoutReset(compare(live, merged, type), reset), id, force);
  return merged;
}

/** Removes what the manager applied last time and nobody wants any more. */
function prune(merged: unknown, type: MergeType, managers: Managers, last: FieldSet | undefined): unknown {
  if (!last || isEmpty(last)) return merged;
  const named = (set: FieldSet): FieldSet => withNamedFields(set, type);
  const setOf = (value: unknown): FieldSet => named(fieldSetOf(value, type));
  const all = setOf(merged), previous = named(last);
  const owned = named([...managers.values()].reduce<FieldSet>((sum, { set }) => union(sum, set), emptySet));
  const stripped = removeItems(merged, previous, type, null);
  const restored = removeItems(merged, difference(all, union(setOf(stripped), owned)), type, null);
  return removeItems(merged, intersection(difference(all, setOf(restored)), previous), type);
}
