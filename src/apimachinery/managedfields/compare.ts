import { isObject, type JsonObject } from "../own.ts";
import { emptySet, FieldSetBuilder, type FieldSet } from "./field-set.ts";
import { settled, type ListMergeType, type MapMergeType, type MergeType } from "./merge-type.ts";
import { fieldElement, itemElement, type PathElement } from "./path-element.ts";

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** Most comparisons find differences of one sort only. */
interface Walk {
  path: PathElement[];
  added?: FieldSetBuilder;
  modified?: FieldSetBuilder;
  removed?: FieldSetBuilder;
}

function note(walk: Walk, as: keyof Comparison, path: readonly PathElement[] = walk.path): void {
  (walk[as] ??= new FieldSetBuilder()).insert(path);
}

/** Which owned parts differ between two states of an object. Source: structured-merge-diff typed/compare.go. */
export function compare(before: unknown, after: unknown, type: MergeType): Comparison {
  const walk: Walk = { path: [] };
  compareMaps(walk, settled(type, after) as MapMergeType, before as JsonObject, after as JsonObject);
  const { added, modified, removed } = walk;
  return { added: added?.set() ?? emptySet, modified: modified?.set() ?? emptySet, removed: removed?.set() ?? emptySet };
}

function visit(walk: Walk, element: PathElement, type: MergeType, before: unknown, after: unknown): void {
  if (before === after) return;
  walk.path.push(element);
  compareValues(walk, type, before, after);
  walk.path.pop();
}

function compareValues(walk: Walk, type: MergeType, before: unknown, after: unknown): void {
  const at = settled(type, after ?? before);
  const isLeaf = at.kind === "scalar" || at.relationship === "atomic" || (isBare(before) && isBare(after));
  if (!isLeaf) {
    if (at.kind === "list") compareLists(walk, at, listOf(before), listOf(after));
    else compareMaps(walk, at, mapOf(before), mapOf(after));
  }
  if (before === undefined) note(walk, "added");
  else if (after === undefined) note(walk, "removed");
  else if (isLeaf && !Bun.deepEquals(before, after)) note(walk, "modified");
}

/** Nothing, null, or without content: a leaf, whatever its type. */
function isBare(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value !== "object") return false;
  for (const _ in value) return false;
  return true;
}

const none: JsonObject = {};
const mapOf = (value: unknown): JsonObject | undefined => (isObject(value) ? value : undefined);
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** A null stands for nothing in a struct, but where null is what a field left alone has. */
function own(object: JsonObject, name: string, { zeros }: MapMergeType): unknown {
  const value = Object.hasOwn(object, name) ? object[name] : undefined;
  return value === null && zeros && zeros.get(name) !== null ? undefined : value;
}

function compareMaps(walk: Walk, type: MapMergeType, before: JsonObject | undefined, after: JsonObject | undefined): void {
  const left = before ?? none, right = after ?? none;
  const { zeros } = type;
  for (const name of Object.keys(right)) {
    const value = own(right, name, type), was = own(left, name, type);
    // Most writes leave most of an object alone; further down, what differs is soon found.
    if (value === undefined || value === was || (walk.path.length === 0 && Bun.deepEquals(value, was))) continue;
    const field = type.field(name);
    if (field) visit(walk, fieldElement(name), field, was ?? (before ? zeros?.get(name) : undefined), value);
  }
  for (const name of Object.keys(left)) {
    const was = own(left, name, type);
    if (was === undefined || own(right, name, type) !== undefined) continue;
    const field = type.field(name);
    if (field) visit(walk, fieldElement(name), field, was, after ? zeros?.get(name) : undefined);
  }
  if (!zeros || (before && after)) return;
  for (const [name, zero] of zeros) {
    if (own(before ?? after ?? none, name, type) === undefined) visit(walk, fieldElement(name), type.field(name)!, before ? zero : undefined, after ? zero : undefined);
  }
}

function compareLists(walk: Walk, type: ListMergeType, before: readonly unknown[], after: readonly unknown[]): void {
  if (Bun.deepEquals(before, after)) return;
  const left = grouped(type, before), right = grouped(type, after);
  for (const element of new Set([...left.keys(), ...right.keys()])) {
    const was = left.get(element) ?? [], is = right.get(element) ?? [];
    if (was.length <= 1 && is.length <= 1) visit(walk, element, type.item, was[0], is[0]);
    else compareDuplicates(walk, type, element, was, is);
  }
}

/** Items that can't be told apart are owned together. */
function compareDuplicates(walk: Walk, type: ListMergeType, element: PathElement, was: readonly unknown[], is: readonly unknown[]): void {
  const path = [...walk.path, element];
  if (was.length > 1 && is.length > 1) {
    if (!Bun.deepEquals(was, is)) note(walk, "modified", path);
  } else if (was.length > 1) {
    if (is.length) visit(walk, element, type.item, undefined, is[0]);
    note(walk, "removed", path);
  } else {
    if (was.length) visit(walk, element, type.item, was[0], undefined);
    note(walk, "added", path);
  }
}

function grouped(type: ListMergeType, list: readonly unknown[]): Map<PathElement, unknown[]> {
  const groups = new Map<PathElement, unknown[]>();
  const zeros = type.item.kind === "map" ? type.item.zeros : undefined;
  for (const item of list) {
    const element = itemElement(type, item, zeros);
    const group = groups.get(element);
    if (group) group.push(item);
    else groups.set(element, [item]);
  }
  return groups;
}
