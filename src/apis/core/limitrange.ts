import { duplicate, forbiddenField, invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { compareQuantities, formatQuantity, milliValue, quantityOf, value, type QuantityLike } from "../../apimachinery/quantity.ts";
import { defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { qualifiedNameErrors } from "../../apimachinery/validation/names.ts";
import type { LimitRange, LimitRangeItem } from "../generated/core/v1.ts";
import { allowsOvercommit, containerResourceName, resourceName } from "./resource-names.ts";
import { roundAmounts } from "./round-amounts.ts";

export const limitranges = defineResource<LimitRange>({
  group: "", version: "v1", kind: "LimitRange", resource: "limitranges", scope: "Namespaced", shortNames: ["limits"],
  schema: "io.k8s.api.core.v1.LimitRange",
  default({ spec }) {
    for (const limit of spec?.limits ?? []) defaultLimit(limit);
  },
  strategy: {
    // Kubernetes counts no generations of these.
    prepareForCreate({ metadata }) {
      delete metadata.generation;
      metadata.name ??= metadata.uid;
    },
    validate, validateUpdate: validate,
    allowCreateOnUpdate: true,
  },
  columns: [
    nameColumn(),
    { name: "Created At", type: "date", description: "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata", value: ({ metadata }) => metadata.creationTimestamp ?? "" },
  ],
  example: () => ({ apiVersion: "v1", kind: "LimitRange", metadata: { name: "example", namespace: "default" }, spec: { limits: [{ type: "Container", max: { cpu: "1" } }] } }),
});

/** Of containers: the default limit is the most there may be, the default request is the limit, or else the least. */
function defaultLimit(limit: LimitRangeItem): void {
  for (const list of [limit.max, limit.min, limit.default, limit.defaultRequest, limit.maxLimitRequestRatio]) roundAmounts(list);
  if (limit.type !== "Container") return;
  limit.default = { ...limit.max, ...limit.default };
  limit.defaultRequest = { ...limit.min, ...limit.default, ...limit.defaultRequest };
  if (Object.keys(limit.default).length === 0) delete limit.default;
  if (Object.keys(limit.defaultRequest).length === 0) delete limit.defaultRequest;
}

function validate({ spec }: Frozen<LimitRange>): FieldError[] {
  const types = new Set<string>();
  return (spec?.limits ?? []).flatMap((limit, index) => {
    const at = `spec.limits[${index}]`, { type = "" } = limit;
    const errors = validateType(`${at}.type`, type);
    if (types.has(type)) errors.push(duplicate(`${at}.type`, type));
    types.add(type);
    return [...errors, ...validateNames(at, limit), ...amountNames(limit).flatMap((name) => validateAmounts(at, name, limit))];
  });
}

function validateType(field: string, type: string): FieldError[] {
  const errors = qualifiedNameErrors(type).map((message) => invalidValue(field, type, message));
  if (errors.length > 0 || type.includes("/") || ["Container", "PersistentVolumeClaim", "Pod"].includes(type)) return errors;
  return [invalidValue(field, type, "must be a standard limit type or fully qualified")];
}

function validateNames(field: string, limit: Frozen<LimitRangeItem>): FieldError[] {
  const { type } = limit, rule = type === "Pod" || type === "Container" ? containerResourceName : resourceName;
  const named = (list: "max" | "min" | "default" | "defaultRequest" | "maxLimitRequestRatio"): FieldError[] => Object.keys(limit[list] ?? {}).flatMap((name) => rule(`${field}.${list}[${name}]`, name));
  const errors = [...named("max"), ...named("min")];
  for (const list of ["default", "defaultRequest"] as const) {
    if (type !== "Pod") errors.push(...named(list));
    else if (Object.keys(limit[list] ?? {}).length > 0) errors.push(forbiddenField(`${field}.${list}`, "may not be specified when `type` is 'Pod'"));
  }
  if (type === "PersistentVolumeClaim" && limit.min?.["storage"] === undefined && limit.max?.["storage"] === undefined) {
    errors.push(required(`${field}.limits`, "either minimum or maximum storage value is required, but neither was provided"));
  }
  return [...errors, ...named("maxLimitRequestRatio")];
}

function amountNames({ type, min, max, default: limit, defaultRequest, maxLimitRequestRatio }: Frozen<LimitRangeItem>): string[] {
  return [...new Set([max, min, ...(type === "Pod" ? [] : [limit, defaultRequest]), maxLimitRequestRatio].flatMap((list) => Object.keys(list ?? {})))];
}

type Amounts = Readonly<Record<string, string | number>>;
const shown = (amount: QuantityLike): string => formatQuantity(quantityOf(amount));

/** How the amounts of one resource must stand to each other. */
function validateAmounts(field: string, name: string, item: Frozen<LimitRangeItem>): FieldError[] {
  const ofPod = item.type === "Pod", errors: FieldError[] = [];
  const amount = (list: Amounts | undefined): QuantityLike | undefined => (list && Object.hasOwn(list, name) ? list[name] : undefined);
  const min = amount(item.min), max = amount(item.max), ratio = amount(item.maxLimitRequestRatio);
  const limit = ofPod ? undefined : amount(item.default), request = ofPod ? undefined : amount(item.defaultRequest);
  const notAbove = (low: QuantityLike | undefined, lowName: string, high: QuantityLike | undefined, highName: string, list: string, blamed: QuantityLike | undefined): void => {
    if (low === undefined || high === undefined || compareQuantities(low, high) <= 0) return;
    errors.push(invalidValue(`${field}.${list}[${name}]`, shown(blamed!), `${lowName} value ${shown(low)} is greater than ${highName} value ${shown(high)}`));
  };
  notAbove(min, "min", max, "max", "min", min);
  notAbove(min, "min", request, "default request", "defaultRequest", request);
  notAbove(request, "default request", max, "max", "defaultRequest", request);
  notAbove(request, "default request", limit, "default limit", "defaultRequest", request);
  notAbove(min, "min", limit, "default", "default", min);
  notAbove(limit, "default", max, "max", "default", max);
  if (ratio !== undefined) errors.push(...validateRatio(`${field}.maxLimitRequestRatio[${name}]`, ratio, min, max));
  if (!allowsOvercommit(name) && limit !== undefined && request !== undefined && compareQuantities(limit, request) !== 0) {
    errors.push(invalidValue(`${field}.defaultRequest[${name}]`, shown(request), `default value ${shown(limit)} must equal to defaultRequest value ${shown(request)} in ${name}`));
  }
  return errors;
}

/** The largest number of which a thousandth can be told apart (resource.MaxMilliValue). */
const largestMilli = Number((2n ** 63n - 1n) / 1000n);

function validateRatio(field: string, ratio: QuantityLike, min: QuantityLike | undefined, max: QuantityLike | undefined): FieldError[] {
  const errors = compareQuantities(ratio, "1") < 0 ? [invalidValue(field, shown(ratio), `ratio ${shown(ratio)} is less than 1`)] : [];
  if (min === undefined || max === undefined) return errors;
  const fine = [ratio, min, max].every((amount) => value(amount) < largestMilli);
  const most = fine ? milliValue(max) / milliValue(min) : value(max) / value(min);
  if ((fine ? milliValue(ratio) / 1000 : value(ratio)) > most) errors.push(invalidValue(field, shown(ratio), `ratio ${shown(ratio)} is greater than max/min = ${most.toFixed(6)}`));
  return errors;
}
