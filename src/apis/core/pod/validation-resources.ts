import { forbiddenField, invalidValue, required, type FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import { compareQuantities, parseQuantity } from "../../../apimachinery/quantity.ts";
import type { ResourceRequirements } from "../../generated/core/v1.ts";
import { allowsOvercommit, containerResourceName, isHugePage, resourceAmount } from "../resource-names.ts";
import { validateClaimNames } from "./validation-claims.ts";

/** Requests and limits of a container, or of the whole pod. */
export function validateResources(field: string, resources: Frozen<ResourceRequirements> | undefined, claims: ReadonlySet<string>): FieldError[] {
  const { limits = {}, requests = {} } = resources ?? {};
  const errors: FieldError[] = [];
  for (const [name, amount] of Object.entries(limits)) errors.push(...validateAmount(`${field}.limits[${name}]`, name, amount));
  for (const [name, amount] of Object.entries(requests)) {
    errors.push(...validateAmount(`${field}.requests[${name}]`, name, amount));
    const limit = Object.hasOwn(limits, name) ? limits[name] : undefined;
    if (limit === undefined) {
      if (!allowsOvercommit(name)) errors.push(required(`${field}.limits`, "Limit must be set for non overcommitable resources"));
    } else if (!allowsOvercommit(name) && compareQuantities(amount, limit) !== 0) {
      errors.push(invalidValue(`${field}.requests`, String(amount), `must be equal to ${name} limit of ${limit}`));
    } else if (compareQuantities(amount, limit) > 0) {
      errors.push(invalidValue(`${field}.requests`, String(amount), `must be less than or equal to ${name} limit of ${limit}`));
    }
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)];
  if (names.some(isHugePage) && !names.includes("cpu") && !names.includes("memory")) errors.push(forbiddenField(field, "HugePages require cpu or memory"));
  return [...errors, ...validateClaimNames(`${field}.claims`, resources?.claims, claims)];
}

function validateAmount(field: string, name: string, amount: string | number): FieldError[] {
  const errors = [...containerResourceName(field, name), ...resourceAmount(field, name, amount)];
  return isHugePage(name) && !isMultipleOf(amount, name.slice("hugepages-".length)) ? [...errors, invalidValue(field, String(amount), `${amount} is not positive integer multiple of ${name}`)] : errors;
}

/** Huge pages come whole; a size that cannot be read is none. */
function isMultipleOf(amount: string | number, size: string): boolean {
  try {
    const page = parseQuantity(size).nano, wanted = parseQuantity(amount).nano;
    return page > 0n && wanted > 0n && wanted % page === 0n;
  } catch {
    return false;
  }
}
