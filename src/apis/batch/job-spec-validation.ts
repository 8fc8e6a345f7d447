import { duplicate, invalidValue, notSupported, required, tooLong, tooMany, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { JobSpec, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule, SuccessPolicy, SuccessPolicyRule } from "../generated/batch/v1.ts";
import { domainPrefixedPath, invalidObject, labelName, nonNegative } from "../core/field-rules.ts";
import { validatePodTemplate } from "../core/pod/validation-spec.ts";
import { countIndexes } from "./indexes.ts";

const mostIndexes = 100_000, mostAtOnceOfMany = 10_000, mostRules = 20;
const counts = ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished", "backoffLimitPerIndex"] as const;

/** All of a Job's spec but its selector, which the template of a CronJob has not. */
export function validateJobSpec(field: string, spec: Frozen<JobSpec>): FieldError[] {
  const { completionMode, managedBy, maxFailedIndexes, backoffLimitPerIndex, podFailurePolicy, successPolicy } = spec;
  const errors = counts.flatMap((name) => nonNegative(`${field}.${name}`, spec[name]));
  if (maxFailedIndexes !== undefined) {
    errors.push(...nonNegative(`${field}.maxFailedIndexes`, maxFailedIndexes));
    if (backoffLimitPerIndex === undefined) errors.push(required(`${field}.backoffLimitPerIndex`, "when maxFailedIndexes is specified"));
  }
  if (managedBy !== undefined) errors.push(...domainPrefixedPath(`${field}.managedBy`, managedBy), ...(managedBy.length > 63 ? [tooLong(`${field}.managedBy`, 63)] : []));
  if (completionMode !== undefined && completionMode !== "NonIndexed" && completionMode !== "Indexed") errors.push(notSupported(`${field}.completionMode`, completionMode, ["NonIndexed", "Indexed"]));
  if (completionMode === "Indexed") errors.push(...validateIndexed(field, spec));
  if (completionMode === undefined || completionMode === "NonIndexed") {
    for (const name of ["backoffLimitPerIndex", "maxFailedIndexes"] as const) if (spec[name] !== undefined) errors.push(invalidValue(`${field}.${name}`, spec[name], "requires indexed completion mode"));
  }
  if (podFailurePolicy) errors.push(...validateFailurePolicy(`${field}.podFailurePolicy.rules`, spec, podFailurePolicy.rules ?? []));
  if (successPolicy) errors.push(...(completionMode === "Indexed" ? validateSuccessPolicy(`${field}.successPolicy.rules`, spec, successPolicy.rules ?? []) : [invalidValue(`${field}.successPolicy`, shownPolicy(successPolicy), "requires indexed completion mode")]));
  return [...errors, ...validateReplacement(`${field}.podReplacementPolicy`, spec), ...validatePodTemplate(`${field}.template`, spec.template ?? {}), ...validateRestartPolicy(`${field}.template.spec.restartPolicy`, spec)];
}

/** With Go's names, which Kubernetes' internal types print. */
const shownPolicy = ({ rules }: Frozen<SuccessPolicy>): object => ({ Rules: rules?.map(({ succeededIndexes = null, succeededCount = null }) => ({ SucceededIndexes: succeededIndexes, SucceededCount: succeededCount })) ?? null });

function validateIndexed(field: string, { completions, parallelism = 0, maxFailedIndexes, backoffLimitPerIndex }: Frozen<JobSpec>): FieldError[] {
  const errors: FieldError[] = [];
  const atMost = (name: string, value: number, most: number, when = ""): void => {
    if (value > most) errors.push(invalidValue(`${field}.${name}`, value, `must be less than or equal to ${most}${when}`));
  };
  if (completions === undefined) errors.push(required(`${field}.completions`, "when completion mode is Indexed"));
  atMost("parallelism", parallelism, mostIndexes, " when completion mode is Indexed");
  if (maxFailedIndexes !== undefined) {
    if (completions !== undefined && maxFailedIndexes > completions) errors.push(invalidValue(`${field}.maxFailedIndexes`, maxFailedIndexes, "must be less than or equal to completions"));
    atMost("maxFailedIndexes", maxFailedIndexes, mostIndexes);
  }
  if (completions === undefined || completions <= mostIndexes || backoffLimitPerIndex === undefined) return errors;
  const when = ` when completions are above ${mostIndexes} and used with backoff limit per index`;
  if (maxFailedIndexes === undefined) errors.push(required(`${field}.maxFailedIndexes`, `must be specified when completions is above ${mostIndexes}`));
  atMost("parallelism", parallelism, mostAtOnceOfMany, when);
  if (maxFailedIndexes !== undefined) atMost("maxFailedIndexes", maxFailedIndexes, mostAtOnceOfMany, when);
  return errors;
}

const actions = ["Count", "FailIndex", "FailJob", "Ignore"], operators = ["In", "NotIn"], states = ["False", "True", "Unknown"];
const valid = (values: readonly string[]): string => `valid values: [${values.map((value) => JSON.stringify(value)).join(" ")}]`;

/** A field with a fixed set of values; when it is missing, they are named. */
function oneOfValues(field: string, value: string | undefined, supported: readonly string[]): FieldError[] {
  if (!value) return [required(field, valid(supported))];
  return supported.includes(value) ? [] : [notSupported(field, value, supported)];
}

function validateFailurePolicy(field: string, spec: Frozen<JobSpec>, rules: Frozen<PodFailurePolicyRule[]>): FieldError[] {
  const { containers = [], initContainers = [] } = spec.template?.spec ?? {};
  const names = new Set([...containers, ...initContainers].map(({ name }) => name));
  const errors = rules.length > mostRules ? [tooMany(field, rules.length, mostRules)] : [];
  for (const [index, { action, onExitCodes, onPodConditions = [] }] of rules.entries()) {
    const at = `${field}[${index}]`;
    errors.push(...oneOfValues(`${at}.action`, action, actions));
    if (action === "FailIndex" && spec.backoffLimitPerIndex === undefined) errors.push(invalidValue(`${at}.action`, action, "requires the backoffLimitPerIndex to be set"));
    if (onExitCodes) errors.push(...validateExitCodes(`${at}.onExitCodes`, onExitCodes, names));
    errors.push(...validatePatterns(`${at}.onPodConditions`, onPodConditions));
    if (onExitCodes && onPodConditions.length > 0) errors.push(invalidObject(at, "specifying both OnExitCodes and OnPodConditions is not supported"));
    if (!onExitCodes && onPodConditions.length === 0) errors.push(invalidObject(at, "specifying one of OnExitCodes and OnPodConditions is required"));
  }
  return errors;
}

function validatePatterns(field: string, patterns: Frozen<PodFailurePolicyOnPodConditionsPattern[]>): FieldError[] {
  const errors = patterns.length > mostRules ? [tooMany(field, patterns.length, mostRules)] : [];
  return [...errors, ...patterns.flatMap(({ type, status }, index) => [...labelName(`${field}[${index}].type`, type), ...oneOfValues(`${field}[${index}].status`, status, states)])];
}

function validateExitCodes(field: string, { containerName, operator, values: stated }: Frozen<PodFailurePolicyOnExitCodesRequirement>, containers: ReadonlySet<string>): FieldError[] {
  const errors = oneOfValues(`${field}.operator`, operator, operators), at = `${field}.values`, values = stated ?? [];
  if (containerName !== undefined && !containers.has(containerName)) errors.push(invalidValue(`${field}.containerName`, containerName, "must be one of the container or initContainer names in the pod template"));
  if (values.length === 0) errors.push(invalidValue(at, stated, "at least one value is required"));
  else if (values.length > 255) errors.push(tooMany(at, values.length, 255));
  const seen = new Set<number>();
  for (const [index, code] of values.entries()) {
    if (operator === "In" && code === 0) errors.push(invalidValue(`${at}[${index}]`, code, "must not be 0 for the In operator"));
    if (seen.has(code)) errors.push(duplicate(`${at}[${index}]`, code));
    seen.add(code);
  }
  return values.some((code, index) => index > 0 && values[index - 1]! > code) ? [...errors, invalidValue(at, values, "must be ordered")] : errors;
}

function validateSuccessPolicy(field: string, { completions = 0 }: Frozen<JobSpec>, rules: Frozen<SuccessPolicyRule[]>): FieldError[] {
  const errors = rules.length === 0 ? [required(field, "at least one rules must be specified when the successPolicy is specified")] : [];
  if (rules.length > mostRules) errors.push(tooMany(field, rules.length, mostRules));
  return [...errors, ...rules.flatMap((rule, index) => validateSuccessRule(`${field}[${index}]`, rule, completions))];
}

function validateSuccessRule(field: string, { succeededIndexes: indexes, succeededCount: count }: Frozen<SuccessPolicyRule>, completions: number): FieldError[] {
  const errors = indexes === undefined && count === undefined ? [required(field, "at least one of succeededCount or succeededIndexes must be specified")] : [];
  let total = 0;
  if (indexes !== undefined) {
    if (indexes.length > 65_536) errors.push(tooLong(`${field}.succeededIndexes`, 65_536));
    const counted = countIndexes(indexes, completions);
    if (typeof counted === "string") errors.push(invalidValue(`${field}.succeededIndexes`, indexes, `error parsing succeededIndexes: ${counted}`));
    else total = counted;
  }
  if (count === undefined) return errors;
  const at = `${field}.succeededCount`;
  errors.push(...nonNegative(at, count));
  if (count > completions) errors.push(invalidValue(at, count, `must be less than or equal to ${completions} (the number of specified completions)`));
  if (indexes !== undefined && count > total) errors.push(invalidValue(at, count, `must be less than or equal to ${total} (the number of indexes in the specified succeededIndexes field)`));
  return errors;
}

function validateReplacement(field: string, { podReplacementPolicy: policy, podFailurePolicy }: Frozen<JobSpec>): FieldError[] {
  const supported = podFailurePolicy ? ["Failed"] : ["Failed", "TerminatingOrFailed"];
  return policy === undefined || supported.includes(policy) ? [] : [notSupported(field, policy, supported)];
}

/** Pods of a Job end. */
function validateRestartPolicy(field: string, { template, podFailurePolicy }: Frozen<JobSpec>): FieldError[] {
  const policy = template?.spec?.restartPolicy ?? "";
  if (policy === "" || policy === "Always") return [required(field, "valid values: \"OnFailure\", \"Never\"")];
  if (policy !== "OnFailure" && policy !== "Never") return [notSupported(field, policy, ["OnFailure", "Never"])];
  return podFailurePolicy && policy !== "Never" ? [invalidValue(field, policy, "only \"Never\" is supported when podFailurePolicy is specified")] : [];
}
