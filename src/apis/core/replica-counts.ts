import { invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import { nonNegative } from "./field-rules.ts";

interface ReplicaCounts {
  replicas?: number;
  readyReplicas?: number;
  availableReplicas?: number;
}

/** Counts of a status: none negative, none of `within` more than `replicas`. */
export function validateCounts<T extends ReplicaCounts>(status: T, counts: readonly (keyof T & string)[], within: readonly (keyof T & string)[], readyField = "readyReplicas"): FieldError[] {
  const count = (name: keyof T): number => Number(status[name] ?? 0);
  const errors = counts.flatMap((name) => nonNegative(`status.${name}`, count(name)));
  for (const name of within) if (count(name) > count("replicas")) errors.push(invalidValue(`status.${name}`, count(name), "cannot be greater than status.replicas"));
  if (count("availableReplicas") > count("readyReplicas")) errors.push(invalidValue("status.availableReplicas", count("availableReplicas"), `cannot be greater than ${readyField}`));
  return errors;
}

/** A count that only grows: what controllers derive names from. */
export function validateCollisionCount(count: number | undefined, old: number | undefined): FieldError[] {
  return old !== undefined && (count === undefined || count < old) ? [invalidValue("status.collisionCount", count ?? 0, "cannot be decremented")] : [];
}
