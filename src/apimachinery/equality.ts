import { compareQuantities, type QuantityLike } from "./quantity.ts";
import type { Type } from "./schema/schema.ts";

/**
 * apiequality.Semantic.DeepEqual. Absent, undefined and null are the same, and so is an empty list. Given the schema type, empty maps and
 * the zero values that Go omits count as absent as well, and quantities are compared as numbers; without it values are only compared as they stand,
 * which is right for decoded objects (their quantities are canonical, and what Go omits is gone).
 */
export function semanticEqual(a: unknown, b: unknown, type?: Type): boolean {
  if (a === b) return true;
  if (isAbsent(a, type)) return isAbsent(b, type);
  if (isAbsent(b, type)) return false;
  if (type?.kind === "quantity") return compareQuantities(a as QuantityLike, b as QuantityLike) === 0;
  if (typeof a !== "object" || typeof b !== "object" || Array.isArray(a) !== Array.isArray(b)) return false;
  return Array.isArray(a) ? equalLists(a, b as unknown[], type?.kind === "list" ? type.item : undefined) : equalObjects(a as object, b as object, type);
}

function equalLists(a: readonly unknown[], b: readonly unknown[], item: Type | undefined): boolean {
  return a.length === b.length && a.every((value, i) => semanticEqual(value, b[i], item));
}

function equalObjects(a: object, b: object, type: Type | undefined): boolean {
  const left = a as Record<string, unknown>, right = b as Record<string, unknown>;
  for (const key of Object.keys(left)) if (!equalField(left, right, key, type)) return false;
  for (const key of Object.keys(right)) if (!Object.hasOwn(left, key) && !equalField(left, right, key, type)) return false;
  return true;
}

function equalField(left: Record<string, unknown>, right: Record<string, unknown>, key: string, type: Type | undefined): boolean {
  const a = Object.hasOwn(left, key) ? left[key] : undefined, b = Object.hasOwn(right, key) ? right[key] : undefined;
  if (type?.kind === "map") return Object.hasOwn(left, key) === Object.hasOwn(right, key) && semanticEqual(a, b, type.value);
  const field = type?.kind === "struct" ? type.fields.get(key) : undefined;
  if (field && !field.ptr && field.type.kind === "scalar" && isZero(a) && isZero(b)) return true;
  return semanticEqual(a, b, field?.type);
}

const isZero = (value: unknown): boolean => value === undefined || value === null || value === "" || value === 0 || value === false;

function isAbsent(value: unknown, type: Type | undefined): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  return type?.kind === "map" && Object.keys(value as object).length === 0;
}
