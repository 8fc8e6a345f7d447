import { forbiddenField, invalidValue, notFoundValue, required, type FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import { compareQuantities, milliValue } from "../../../apimachinery/quantity.ts";
import { qualifiedNameErrors } from "../../../apimachinery/validation/names.ts";
import type { ResourceRequirements } from "../../generated/core/v1.ts";

const containerResources = new Set(["cpu", "memory", "ephemeral-storage"]);
const isHugePage = (name: string): boolean => name.startsWith("hugepages-");
/** Those of Kubernetes itself, named without a domain or with one of its own. */
const isNative = (name: string): boolean => !name.includes("/") || name.includes("kubernetes.io/");
const allowsOvercommit = (name: string): boolean => isNative(name) && !isHugePage(name);

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
  for (const [index, { name }] of (resources?.claims ?? []).entries()) {
    if (!name) errors.push(required(`${field}.claims[${index}]`));
    else if (!claims.has(name)) errors.push(notFoundValue(`${field}.claims[${index}]`, name));
  }
  return errors;
}

function validateAmount(field: string, name: string, amount: string | number): FieldError[] {
  const errors = qualifiedNameErrors(name).map((message) => invalidValue(field, name, message));
  if (errors.length === 0 && !name.includes("/") && !containerResources.has(name) && !isHugePage(name)) errors.push(invalidValue(field, name, "must be a standard resource for containers"));
  if (errors.length === 0 && !isNative(name) && name.startsWith("requests.")) errors.push(invalidValue(field, name, "doesn't follow extended resource name standard"));
  if (compareQuantities(amount, "0") < 0) errors.push(invalidValue(field, String(amount), "must be greater than or equal to 0"));
  if (!isNative(name) && milliValue(amount) % 1000 !== 0) errors.push(invalidValue(field, String(amount), "must be an integer"));
  return errors;
}
