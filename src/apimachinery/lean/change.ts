import { isObject, setOwn, type JsonObject } from "../own.ts";

/**
 * What makes one JSON value of another, as a JSON value that is small where little changed:
 *
 *   {key: change, …}         of an object: these members change, the others stay; of an array of the same length, by index
 *   []                       the member goes
 *   [value]                  another value stands in its place
 *   [first, last, items]     of an array: so many elements stay at its beginning and at its end, and `items` are all between
 */
export type Change = { [key: string]: Change } | [] | [unknown] | [first: number, last: number, items: unknown[]];

/** Undefined when nothing changed. */
export function changeOf(before: unknown, after: unknown): Change | undefined {
  if (before === after) return undefined;
  if (isObject(before) && isObject(after)) return changedMembers(before, after);
  if (Array.isArray(before) && Array.isArray(after)) return before.length === after.length ? changedMembers(before, after) : splice(before, after);
  return [after];
}

function changedMembers(before: object, after: object): Change | undefined {
  const changes: JsonObject = {};
  let any = false;
  const note = (key: string, change: Change | undefined): void => {
    if (change === undefined) return;
    any = true;
    setOwn(changes, key, change);
  };
  for (const key of Object.keys(before)) {
    const has = Object.hasOwn(after, key) && (after as JsonObject)[key] !== undefined;
    if ((before as JsonObject)[key] === undefined) continue;
    note(key, has ? changeOf((before as JsonObject)[key], (after as JsonObject)[key]) : []);
  }
  for (const key of Object.keys(after)) {
    if ((after as JsonObject)[key] !== undefined && (!Object.hasOwn(before, key) || (before as JsonObject)[key] === undefined)) note(key, [(after as JsonObject)[key]]);
  }
  return any ? changes as Change : undefined;
}

function splice(before: readonly unknown[], after: readonly unknown[]): Change {
  const shorter = Math.min(before.length, after.length);
  let first = 0, last = 0;
  while (first < shorter && Bun.deepEquals(before[first], after[first])) first++;
  while (last < shorter - first && Bun.deepEquals(before.at(-1 - last), after.at(-1 - last))) last++;
  return [first, last, after.slice(first, after.length - last)];
}

/** A new value; what didn't change is shared with `before`. Throws a `RangeError` for a change of something else. */
export function changed(before: unknown, change: Change): unknown {
  if (Array.isArray(change)) {
    if (change.length === 1) return change[0];
    if (change.length === 3 && Array.isArray(before)) return [...before.slice(0, change[0]), ...change[2], ...before.slice(before.length - change[1])];
    throw new RangeError("a change that does not fit");
  }
  if (Array.isArray(before)) return before.map((element, index) => (Object.hasOwn(change, index) ? changed(element, change[index]!) : element));
  if (!isObject(before)) throw new RangeError("a change of members of what has none");
  const after: JsonObject = {};
  for (const [key, value] of Object.entries(before)) {
    const own = Object.hasOwn(change, key) ? change[key]! : undefined;
    if (own === undefined) setOwn(after, key, value);
    else if (!Array.isArray(own) || own.length > 0) setOwn(after, key, changed(value, own));
  }
  for (const [key, own] of Object.entries(change)) if (!Object.hasOwn(before, key)) setOwn(after, key, changed(undefined, own));
  return after;
}
