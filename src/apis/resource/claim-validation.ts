import { invalidValue, notSupported, required, tooLong, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { labelName, labelValue } from "../core/field-rules.ts";
import type { DeviceClaim, DeviceConstraint, DeviceRequest, DeviceSelector, DeviceToleration, ExactDeviceRequest, OpaqueDeviceConfiguration } from "../generated/resource/v1.ts";
import { deviceClassName, driverName, fullAttributeName, requestName, requestReference, validateList, type RequestNames } from "./device-names.ts";

/** What claims ask for. Source: pkg/apis/resource/validation. */

const mostRequests = 32, mostConstraints = 32, mostConfigurations = 32, mostSelectors = 32, mostAlternatives = 8;
const longestExpression = 10 * 1024, longestParameters = 10 * 1024;
export const taintEffects = ["NoExecute", "NoSchedule", "None"];

export const requestNamesOf = ({ requests }: Partial<Frozen<DeviceClaim>>): RequestNames =>
  new Map((requests ?? []).map(({ name = "", firstAvailable = [] }) => [name, new Set(firstAvailable.map((one) => one.name ?? ""))]));

export function validateDeviceClaim(field: string, claim: Partial<Frozen<DeviceClaim>>): FieldError[] {
  const known = requestNamesOf(claim);
  return [
    ...validateList(`${field}.requests`, claim.requests, mostRequests, validateRequest, ({ name }) => name ?? ""),
    ...validateList(`${field}.constraints`, claim.constraints, mostConstraints, (at, constraint) => validateConstraint(at, constraint, known)),
    ...validateList(`${field}.config`, claim.config, mostConfigurations, (at, { requests, opaque }) => [...validateReferences(`${at}.requests`, requests, known), ...validateConfiguration(at, opaque)]),
  ];
}

export const validateReferences = (field: string, names: readonly string[] | undefined, known: RequestNames): FieldError[] =>
  validateList(field, names, mostRequests, (at, name) => requestReference(at, name, known), (name) => name);

function validateRequest(field: string, { name, exactly, firstAvailable = [] }: Frozen<DeviceRequest>): FieldError[] {
  const errors = requestName(`${field}.name`, name), rule = "exactly one of `exactly` or `firstAvailable` is required";
  if (exactly && firstAvailable.length > 0) return [...errors, invalidValue(field, null, `${rule}, but multiple fields are set`)];
  if (exactly) return [...errors, ...validateExactRequest(`${field}.exactly`, exactly)];
  if (firstAvailable.length === 0) return [...errors, required(field, rule)];
  return [...errors, ...validateList(`${field}.firstAvailable`, firstAvailable, mostAlternatives, (at, one) => [...requestName(`${at}.name`, one.name), ...validateExactRequest(at, one)], (one) => one.name ?? "")];
}

function validateExactRequest(field: string, { deviceClassName: className, selectors, allocationMode = "", count = 0, tolerations = [] }: Frozen<ExactDeviceRequest>): FieldError[] {
  return [
    ...deviceClassName(`${field}.deviceClassName`, className),
    ...validateSelectors(`${field}.selectors`, selectors),
    ...validateMode(field, allocationMode, count),
    ...tolerations.flatMap((toleration, index) => validateToleration(`${field}.tolerations[${index}]`, toleration)),
  ];
}

function validateMode(field: string, mode: string, count: number): FieldError[] {
  if (mode === "All") return count === 0 ? [] : [invalidValue(`${field}.count`, count, `must not be specified when allocationMode is '${mode}'`)];
  if (mode !== "ExactCount") return [notSupported(`${field}.allocationMode`, mode, ["All", "ExactCount"])];
  return count > 0 ? [] : [invalidValue(`${field}.count`, count, "must be greater than zero")];
}

export const validateSelectors = (field: string, selectors: readonly Frozen<DeviceSelector>[] | undefined): FieldError[] => validateList(field, selectors, mostSelectors, (at, { cel }) => {
  if (!cel) return [required(`${at}.cel`)];
  return Buffer.byteLength(cel.expression ?? "") > longestExpression ? [tooLong(`${at}.cel.expression`, longestExpression)] : [];
});

function validateConstraint(field: string, { requests, matchAttribute, distinctAttribute }: Frozen<DeviceConstraint>, known: RequestNames): FieldError[] {
  const errors = validateReferences(`${field}.requests`, requests, known);
  if (matchAttribute !== undefined) return [...errors, ...fullAttributeName(`${field}.matchAttribute`, matchAttribute)];
  if (distinctAttribute !== undefined) return [...errors, ...fullAttributeName(`${field}.distinctAttribute`, distinctAttribute)];
  return [...errors, required(field, `exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set`)];
}

export function validateConfiguration(field: string, opaque: Frozen<OpaqueDeviceConfiguration> | undefined): FieldError[] {
  if (!opaque) return [required(`${field}.opaque`)];
  return [...driverName(`${field}.opaque.driver`, opaque.driver), ...rawObject(`${field}.opaque.parameters`, opaque.parameters, longestParameters)];
}

export const validateConfigurations = (field: string, configurations: readonly { readonly opaque?: Frozen<OpaqueDeviceConfiguration> }[] | undefined): FieldError[] =>
  validateList(field, configurations, mostConfigurations, (at, { opaque }) => validateConfiguration(at, opaque));

/** What drivers alone understand: an object, and not too long. */
export function rawObject(field: string, value: unknown, longest: number): FieldError[] {
  if (value === undefined || value === null) return [required(field)];
  if (Buffer.byteLength(JSON.stringify(value)) > longest) return [tooLong(field, longest)];
  return typeof value === "object" && !Array.isArray(value) ? [] : [invalidValue(field, "<value omitted>", "must be a valid JSON object")];
}

function validateToleration(field: string, { key, operator, value = "", effect }: Frozen<DeviceToleration>): FieldError[] {
  const errors = key ? labelName(`${field}.key`, key) : [];
  if (!operator) errors.push(required(`${field}.operator`));
  else if (operator === "Exists") errors.push(...(value ? [invalidValue(`${field}.value`, value, "must be empty for operator `Exists`")] : []));
  else if (operator === "Equal") errors.push(...labelValue(`${field}.value`, value));
  else errors.push(notSupported(`${field}.operator`, operator, ["Equal", "Exists"]));
  return !effect || taintEffects.includes(effect) ? errors : [...errors, notSupported(`${field}.effect`, effect, taintEffects)];
}

/** How a request counts devices: one, unless it says otherwise. */
export function defaultRequests({ requests }: Partial<DeviceClaim>): void {
  for (const { exactly, firstAvailable } of requests ?? []) {
    for (const request of [...(exactly ? [exactly] : []), ...(firstAvailable ?? [])]) {
      request.allocationMode ||= "ExactCount";
      if (request.allocationMode === "ExactCount") request.count ||= 1;
      for (const toleration of request.tolerations ?? []) toleration.operator ||= "Equal";
    }
  }
}
