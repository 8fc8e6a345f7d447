import { isObject } from "../own.ts";
import { declares, type MergeType } from "./merge-type.ts";
import { parseElement, showElement, type PathElement } from "./path-element.ts";

/**
 * A set of paths in the form that FieldsV1 has on the wire: a step leads to the steps below it. A step with nothing below, or with `.`
 * among what is below, is itself in the set. Sets are never changed, so that equal ones may be shared.
 */
export interface FieldSet {
  readonly [element: PathElement]: FieldSet;
}

type Growing = { [element: PathElement]: Growing };

export const emptySet: FieldSet = Object.freeze({});
const self = ".";

export function isEmpty(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

const isMember = (node: FieldSet): boolean => Object.hasOwn(node, self) || isEmpty(node);

/** A node of a set; undefined when it holds nothing. */
function node(member: boolean, children: Growing): FieldSet | undefined {
  if (isEmpty(children)) return member ? emptySet : undefined;
  return member ? { [self]: {}, ...children } : children;
}

/** Collects paths; those that come one after the other mostly have their beginning in common. */
export class FieldSetBuilder {
  readonly #root: Growing = {};
  /** The last path, and the node before each of its elements and after the last. */
  #path: PathElement[] = [];
  readonly #nodes: Growing[] = [this.#root];
  /** Nodes that have nothing in them yet: asking an object with thousands of entries takes as long as it has entries. */
  readonly #bare = new Set<Growing>();

  insert(path: readonly PathElement[]): void {
    let depth = 0;
    while (depth < path.length && path[depth] === this.#path[depth]) depth++;
    let at = this.#nodes[depth]!, made = depth === 0;
    for (; depth < path.length; depth++) {
      // What was a member without anything below stays one.
      if (this.#bare.delete(at) && !made) at[self] = {};
      const element = path[depth]!, known = at[element];
      made = known === undefined;
      if (!known) this.#bare.add(at = at[element] = {});
      else at = known;
      this.#path[depth] = element;
      this.#nodes[depth + 1] = at;
    }
    this.#path.length = path.length;
    if (!made && !this.#bare.has(at)) at[self] = {};
  }
  set(): FieldSet {
    return this.#root;
  }
}

export function setOf(...list: (readonly PathElement[])[]): FieldSet {
  const builder = new FieldSetBuilder();
  for (const path of list) builder.insert(path);
  return builder.set();
}

/** The set with its steps in order, as Kubernetes writes it. */
export function sorted(set: FieldSet): FieldSet {
  const result: Growing = {};
  for (const element of Object.keys(set).sort()) result[element] = sorted(set[element]!) as Growing;
  return result;
}

/** `a` itself when it has all of `b`. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmpty(b)) return a;
  if (isEmpty(a)) return b;
  let result: Growing | undefined;
  for (const element in b) {
    const left = a[element], right = b[element]!;
    const both = left && element !== self ? joined(left, right) : left ?? right;
    if (both !== left) (result ??= { ...a } as Growing)[element] = both as Growing;
  }
  return result ?? a;
}

function joined(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a)) return isEmpty(b) ? a : { [self]: {}, ...b };
  if (isEmpty(b)) return Object.hasOwn(a, self) ? a : { [self]: {}, ...a };
  return union(a, b);
}

/** What is in `a` and not in `b`: a path goes alone, not what is below it, unless `deep`. `a` itself when nothing goes. */
export function difference(a: FieldSet, b: FieldSet, deep = false): FieldSet {
  if (isEmpty(b)) return a;
  const result: Growing = {};
  let same = true;
  for (const element of Object.keys(a)) {
    if (element === self) {
      result[self] = {};
      continue;
    }
    const left = a[element]!, right = b[element];
    const kept = right ? lessen(left, right, deep) : left;
    if (kept !== left) same = false;
    if (kept) result[element] = kept as Growing;
  }
  return same ? a : result;
}

function lessen(left: FieldSet, right: FieldSet, deep: boolean): FieldSet | undefined {
  if (deep && isMember(right)) return undefined;
  const member = isMember(left), stays = member && !isMember(right);
  const children = difference(left, right, deep);
  if (children === left && stays === member) return left;
  const { [self]: _, ...rest } = children as Growing;
  return node(stays, rest);
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const result: Growing = {};
  for (const element of Object.keys(a)) {
    const left = a[element]!, right = b[element];
    if (element === self || !right) continue;
    const both = node(isMember(left) && isMember(right), intersection(left, right) as Growing);
    if (both) result[element] = both as Growing;
  }
  return result;
}

export function has(set: FieldSet, path: readonly PathElement[]): boolean {
  let at: FieldSet = set;
  for (const element of path) {
    const next = at[element];
    if (!next) return false;
    at = next;
  }
  return isMember(at);
}

/** All paths, in order. */
export function paths(set: FieldSet, above: readonly PathElement[] = []): PathElement[][] {
  return Object.keys(set).filter((element) => element !== self).sort().flatMap((element) => {
    const path = [...above, element], below = set[element]!;
    return [...(isMember(below) ? [path] : []), ...paths(below, path)];
  });
}

export const showPath = (path: readonly PathElement[]): string => path.map(showElement).join("");

/** With the struct fields on the way to a path as members too, which sets usually leave out. */
export function withNamedFields(set: FieldSet, type: MergeType | undefined): FieldSet {
  const result: Growing = {};
  for (const element of Object.keys(set)) {
    if (element === self) continue;
    const below = set[element]!, name = element.slice(2);
    const field = type?.kind === "map" && element.startsWith("f:") ? type : undefined;
    const inner = field ? field.field(name) : type?.kind === "list" && element.startsWith("k:") ? type.item : type?.kind === "untyped" ? type : undefined;
    const member = isMember(below) || (field !== undefined && declares(field, name));
    const made = node(member, withNamedFields(below, inner) as Growing);
    if (made) result[element] = made as Growing;
  }
  return result;
}

/** Reads FieldsV1 that a client wrote. Throws an Error for what isn't. */
export function parseFields(json: unknown): FieldSet {
  if (!isObject(json)) throw new Error("fieldsV1 is no object");
  const result: Growing = {};
  for (const [text, below] of Object.entries(json)) {
    const element = text === self ? self : parseElement(text);
    if (element !== undefined) result[element] = parseFields(below) as Growing;
  }
  return result;
}
