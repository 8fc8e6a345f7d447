import { isObject, setOwn, type JsonObject } from "../own.ts";
import { showGo } from "../patch/go-text.ts";
import { FieldSetBuilder, has, isEmpty, type FieldSet } from "./field-set.ts";
import { declares, settled, type ListMergeType, type MergeType } from "./merge-type.ts";
import { fieldElement, itemElement, showElement, type PathElement } from "./path-element.ts";

// What server-side apply does with values by their type. Source: structured-merge-diff typed/{validate,tofieldset,merge,remove}.go.

/** What in a configuration doesn't fit its type, each with its path before it. */
export function typeErrors(value: unknown, type: MergeType, path = ""): string[] {
  const at = settled(type, value);
  const fault = (text: string): string[] => [path ? `${path}: ${text}` : text];
  if (value === null || value === undefined) return [];
  if (at.kind === "scalar") {
    if (at.scalar === "string" && typeof value !== "string") return fault(`expected string, got &value.valueUnstructured{Value:${goValue(value)}}`);
    if (at.scalar === "numeric" && typeof value !== "number") return fault(`expected numeric (int or float), got ${goType(value)}`);
    if (at.scalar === "boolean" && typeof value !== "boolean") return fault(`expected boolean, got &{${showGo(value)}}`);
    return [];
  }
  if (at.kind === "map") {
    if (!isObject(value)) return fault(`expected map, got &{${showGo(value)}}`);
    return Object.entries(value).flatMap(([name, inner]) => {
      const field = at.field(name);
      return field ? typeErrors(inner, field, `${path}.${name}`) : [`${path}.${name}: field not declared in schema`];
    });
  }
  if (!Array.isArray(value)) return fault(`expected list, got &{${showGo(value)}}`);
  const seen = new Set<PathElement>();
  const errors: string[] = [];
  for (const [i, item] of value.entries()) {
    let element = `i:${i}`;
    if (at.relationship !== "atomic") {
      try {
        element = itemElement(at, item);
      } catch (error) {
        return [...errors, ...fault(`element ${i}: ${(error as Error).message}`)];
      }
      if (seen.has(element)) errors.push(...fault(`duplicate entries for key ${showElement(element)}`));
      seen.add(element);
    }
    errors.push(...typeErrors(item, at.item, path + showElement(element)));
  }
  return errors;
}

const goValue = (value: unknown): string => (Array.isArray(value) ? "[]interface {}{}" : isObject(value) ? "map[string]interface {}{}" : JSON.stringify(value));
const goType = (value: unknown): string => (Array.isArray(value) ? "[]interface {}" : isObject(value) ? "map[string]interface {}" : typeof value === "boolean" ? "bool" : typeof value);

/** Every leaf and item that a value mentions. */
export function fieldSetOf(value: unknown, type: MergeType): FieldSet {
  const builder = new FieldSetBuilder();
  collect(builder, [], value, type);
  return builder.set();
}

function collect(builder: FieldSetBuilder, path: PathElement[], value: unknown, type: MergeType): void {
  const at = settled(type, value);
  if (at.kind === "scalar" || at.relationship === "atomic") {
    if (path.length) builder.insert(path);
  } else if (at.kind === "map") {
    for (const [name, inner] of Object.entries(isObject(value) ? value : {})) {
      const field = at.field(name);
      if (!field || inner === undefined) continue;
      const below = [...path, fieldElement(name)];
      collect(builder, below, inner, field);
      if (inner === null || (isObject(inner) && Object.keys(inner).length === 0) || !declares(at, name)) builder.insert(below);
    }
  } else if (Array.isArray(value)) {
    const counts = new Map<PathElement, number>();
    const elements = value.map((item: unknown) => itemElement(at, item));
    for (const element of elements) counts.set(element, (counts.get(element) ?? 0) + 1);
    for (const [i, element] of elements.entries()) {
      const below = [...path, element];
      if (counts.get(element) === 1) collect(builder, below, value[i], at.item);
      builder.insert(below);
    }
  }
}

/** `config` laid over `live`. Neither is changed; the result may share parts with both. */
export function merge(live: unknown, config: unknown, type: MergeType): unknown {
  const at = settled(type, config ?? live);
  if (at.kind === "scalar" || at.relationship === "atomic") return config === undefined ? live : config;
  if (at.kind === "list") {
    const left = Array.isArray(live) ? live : [], right = Array.isArray(config) ? config : [];
    return left.length || right.length ? mergeLists(at, left, right) : config === undefined ? live : config;
  }
  const left = isObject(live) ? live : {}, right = isObject(config) ? config : {};
  const result: JsonObject = {};
  for (const name of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const field = at.field(name);
    const merged = field && Object.hasOwn(right, name) ? merge(left[name], right[name], field) : left[name];
    if (merged !== undefined) setOwn(result, name, merged);
  }
  return Object.keys(result).length ? result : config === undefined ? live : config;
}

/** Items that both have come in the configuration's order, the others where they stood among them. */
function mergeLists(type: ListMergeType, left: readonly unknown[], right: readonly unknown[]): unknown[] {
  const leftElements = left.map((item) => itemElement(type, item)), rightElements = right.map((item) => itemElement(type, item));
  const leftItems = new Map(leftElements.map((element, i) => [element, leftElements.indexOf(element) === leftElements.lastIndexOf(element) ? left[i] : undefined]));
  const rightItems = new Map(rightElements.map((element, i) => [element, right[i]]));
  const shared = rightElements.filter((element) => leftItems.has(element));
  const done = new Set<PathElement>();
  const out: unknown[] = [];
  let l = 0, r = 0, next = 0;
  const takeRight = (): void => {
    const element = rightElements[r++]!;
    done.add(element);
    out.push(merge(leftItems.get(element), rightItems.get(element), type.item));
    if (shared[next] === element) next++;
  };
  while (l < left.length || r < right.length) {
    const element = leftElements[l];
    if (element !== undefined && r < right.length) {
      if (element === rightElements[r]) {
        takeRight();
        l++;
        continue;
      }
      if (rightItems.has(element) && next < shared.length && shared[next] !== element) {
        l++;
        continue;
      }
    }
    if (element !== undefined) {
      if (!rightItems.has(element)) {
        out.push(left[l++]);
        continue;
      }
      if (done.has(element)) l++;
    }
    if (r < right.length) takeRight();
  }
  return out;
}

/** `value` without the items of a set; undefined when nothing is left. */
export function removeItems(value: unknown, remove: FieldSet, type: MergeType, emptied?: null): unknown {
  const at = settled(type, value);
  if (at.kind === "scalar") return value;
  if (at.relationship === "atomic") return undefined;
  if (at.kind === "list") {
    if (!Array.isArray(value)) return undefined;
    const kept = value.flatMap((item: unknown) => {
      const element = itemElement(at, item);
      if (has(remove, [element])) return [];
      return [below(item, remove[element], at.item, emptied)];
    });
    return kept.length ? kept : undefined;
  }
  if (!isObject(value)) return undefined;
  const result: JsonObject = {};
  for (const [name, inner] of Object.entries(value)) {
    const element = fieldElement(name), field = at.field(name);
    if (has(remove, [element])) continue;
    const kept = field ? below(inner, remove[element], field, emptied) : inner;
    if (kept !== undefined || emptied === null) setOwn(result, name, kept ?? null);
  }
  return Object.keys(result).length ? result : undefined;
}

const below = (value: unknown, remove: FieldSet | undefined, type: MergeType, emptied: null | undefined): unknown => (remove && !isEmpty(remove) ? removeItems(value, remove, type, emptied) : value);
