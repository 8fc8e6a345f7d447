/** Field errors as `k8s.io/apimachinery/pkg/util/validation/field` words them. Validation returns all of them. */
export type FieldErrorReason =
  | "FieldValueNotFound" | "FieldValueRequired" | "FieldValueDuplicate" | "FieldValueInvalid"
  | "FieldValueNotSupported" | "FieldValueForbidden" | "FieldValueTooLong" | "FieldValueTooMany" | "FieldValueTypeInvalid" | "InternalError";

export interface FieldError {
  reason: FieldErrorReason;
  /** Dotted path such as `spec.containers[0].name`. */
  field: string;
  /** The part after the path: `Required value`, `Invalid value: "x": must be …`. */
  message: string;
}

const show = (value: unknown): string => (value === undefined ? "null" : JSON.stringify(value));
const withDetail = (text: string, detail: string): string => (detail ? `${text}: ${detail}` : text);

export const required = (field: string, detail = ""): FieldError => ({ reason: "FieldValueRequired", field, message: withDetail("Required value", detail) });
export const invalidValue = (field: string, value: unknown, detail: string): FieldError => ({ reason: "FieldValueInvalid", field, message: withDetail(`Invalid value: ${show(value)}`, detail) });
/** A value of the wrong JSON type, which custom resources tell from other wrong values. */
export const typeInvalid = (field: string, value: unknown, detail: string): FieldError => ({ ...invalidValue(field, value, detail), reason: "FieldValueTypeInvalid" });
export const duplicate = (field: string, value: unknown): FieldError => ({ reason: "FieldValueDuplicate", field, message: `Duplicate value: ${show(value)}` });
export const forbiddenField = (field: string, detail: string): FieldError => ({ reason: "FieldValueForbidden", field, message: withDetail("Forbidden", detail) });
export const notSupported = (field: string, value: unknown, supported: readonly string[]): FieldError => ({ reason: "FieldValueNotSupported", field, message: `Unsupported value: ${show(value)}: supported values: ${supported.map((s) => JSON.stringify(s)).join(", ")}` });
export const notFoundValue = (field: string, value: unknown): FieldError => ({ reason: "FieldValueNotFound", field, message: `Not found: ${show(value)}` });
export const tooLong = (field: string, max: number): FieldError => ({ reason: "FieldValueTooLong", field, message: `Too long: may not be more than ${max} bytes` });
export const tooMany = (field: string, actual: number, max: number): FieldError => ({ reason: "FieldValueTooMany", field, message: `Too many: ${actual}: must have at most ${max} items` });

export const render = (error: FieldError): string => `${error.field}: ${error.message}`;
