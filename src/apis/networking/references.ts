import { invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import { dns1123SubdomainErrors, pathSegmentErrors } from "../../apimachinery/validation/names.ts";
import { ruled } from "../core/field-rules.ts";

const segment = ruled((value) => pathSegmentErrors(value));

/** A name that must be there and will be part of a path. */
export const pathSegment = (field: string, value: string | undefined): FieldError[] => (value ? segment(field, value) : [required(field)]);

interface TypedReference {
  readonly apiGroup?: string;
  readonly kind?: string;
  readonly name?: string;
}

/** A reference to an object of any kind in the same namespace, or in none. */
export const typedReference = (field: string, { apiGroup, kind, name }: TypedReference): FieldError[] => [
  ...(apiGroup === undefined ? [] : dns1123SubdomainErrors(apiGroup).map((message) => invalidValue(`${field}.apiGroup`, apiGroup, message))),
  ...pathSegment(`${field}.kind`, kind),
  ...pathSegment(`${field}.name`, name),
];
