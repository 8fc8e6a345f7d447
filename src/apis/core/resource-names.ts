import { invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import { compareQuantities, formatQuantity, milliValue, quantityOf, value, type QuantityLike } from "../../apimachinery/quantity.ts";
import { qualifiedNameErrors } from "../../apimachinery/validation/names.ts";

/** What Kubernetes says of names and amounts of resources (k8s.io/kubernetes pkg/apis/core/helper, pkg/apis/core/validation). */

/** Those of Kubernetes itself, named without a domain or with one of its own. */
export const isNativeResource = (name: string): boolean => !name.includes("/") || name.includes("kubernetes.io/");
export const isHugePage = (name: string): boolean => name.startsWith("hugepages-");
/** More may be promised than there is. */
export const allowsOvercommit = (name: string): boolean => isNativeResource(name) && !isHugePage(name);
/** Those a device plugin or an administrator adds to nodes. */
export const isExtendedResource = (name: string): boolean => !isNativeResource(name) && !name.startsWith("requests.") && qualifiedNameErrors(`requests.${name}`).length === 0;

const counted = ["pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims", "services.nodeports", "services.loadbalancers"];
const inQuotas = new Set([
  ...["cpu", "memory", "ephemeral-storage"].flatMap((name) => [name, `requests.${name}`, `limits.${name}`]), "requests.storage", ...counted,
]);
const isQuotaHugePage = (name: string): boolean => isHugePage(name) || name.startsWith("requests.hugepages-");
export const isStandardInQuota = (name: string): boolean => inQuotas.has(name) || isQuotaHugePage(name);
const inContainers = new Set(["cpu", "memory", "ephemeral-storage"]);
const isInteger = (name: string): boolean => counted.includes(name) || isExtendedResource(name);

export function resourceName(field: string, name: string): FieldError[] {
  const errors = qualifiedNameErrors(name).map((message) => invalidValue(field, name, message));
  if (errors.length > 0 || name.includes("/") || isStandardInQuota(name) || name === "storage") return errors;
  return [invalidValue(field, name, "must be a standard resource type or fully qualified")];
}

export function containerResourceName(field: string, name: string): FieldError[] {
  const errors = resourceName(field, name);
  if (!name.includes("/")) return inContainers.has(name) || isHugePage(name) ? errors : [...errors, invalidValue(field, name, "must be a standard resource for containers")];
  return isNativeResource(name) || isExtendedResource(name) ? errors : [...errors, invalidValue(field, name, "doesn't follow extended resource name standard")];
}

export function quotaResourceName(field: string, name: string): FieldError[] {
  const errors = resourceName(field, name);
  return name.includes("/") || isStandardInQuota(name) ? errors : [...errors, invalidValue(field, name, "must be a standard resource for quota")];
}

const shown = (amount: QuantityLike): string => formatQuantity(quantityOf(amount));

export function positiveAmount(field: string, amount: QuantityLike): FieldError[] {
  return compareQuantities(amount, "0") > 0 ? [] : [invalidValue(field, shown(amount), "must be greater than zero")];
}

export function nonNegativeAmount(field: string, amount: QuantityLike): FieldError[] {
  return compareQuantities(amount, "0") >= 0 ? [] : [invalidValue(field, shown(amount), "must be greater than or equal to 0")];
}

/** An amount of the resource `name`: not negative, and whole where the resource is counted. */
export function resourceAmount(field: string, name: string, amount: QuantityLike): FieldError[] {
  return [...nonNegativeAmount(field, amount), ...(isInteger(name) && milliValue(amount) % 1000 !== 0 ? [invalidValue(field, shown(amount), "must be an integer")] : [])];
}

export const basicAmount = (field: string, amount: QuantityLike): FieldError[] => (value(amount) < 0 ? [invalidValue(field, value(amount), "must be a valid resource quantity")] : []);
