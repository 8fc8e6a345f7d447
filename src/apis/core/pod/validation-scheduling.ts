import { duplicate, forbiddenField, invalidValue, notSupported, required, type FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import { validateLabelSelector } from "../../../apimachinery/validation/label-selector.ts";
import { labelValueErrors } from "../../../apimachinery/validation/names.ts";
import type { Affinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodAffinity, PodAffinityTerm, PodSpec, Toleration, TopologySpreadConstraint } from "../../generated/core/v1.ts";
import { dnsLabel, dnsSubdomain, given, labelName, labelValue, oneOf, positive, stated, unique } from "../field-rules.ts";

export function validateSchedulingGates(field: string, gates: Frozen<PodSpec>["schedulingGates"]): FieldError[] {
  const names = new Set<string>();
  return (gates ?? []).flatMap(({ name }, index) => [...labelName(`${field}[${index}]`, name), ...unique(`${field}[${index}]`, names, name)]);
}

export function validateAffinity(field: string, affinity: Frozen<Affinity> | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const node = affinity?.nodeAffinity, at = `${field}.nodeAffinity`;
  const needed = node?.requiredDuringSchedulingIgnoredDuringExecution;
  if (needed) {
    errors.push(...validateNodeSelector(`${at}.requiredDuringSchedulingIgnoredDuringExecution`, needed));
  }
  for (const [index, { weight, preference }] of (node?.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
    const termAt = `${at}.preferredDuringSchedulingIgnoredDuringExecution[${index}]`;
    errors.push(...validateWeight(`${termAt}.weight`, weight), ...validateNodeTerm(`${termAt}.preference`, preference ?? {}, false));
  }
  return [...errors, ...validatePodAffinity(`${field}.podAffinity`, affinity?.podAffinity), ...validatePodAffinity(`${field}.podAntiAffinity`, affinity?.podAntiAffinity)];
}

export function validateNodeSelector(field: string, { nodeSelectorTerms: terms = [] }: Frozen<NodeSelector>): FieldError[] {
  const at = `${field}.nodeSelectorTerms`;
  if (terms.length === 0) return [required(at, "must have at least one node selector term")];
  return terms.flatMap((term, index) => validateNodeTerm(`${at}[${index}]`, term, true));
}

const validateWeight = (field: string, weight = 0): FieldError[] => (weight < 1 || weight > 100 ? [invalidValue(field, weight, "must be in the range 1-100")] : []);

function validateNodeTerm(field: string, { matchExpressions = [], matchFields = [] }: Frozen<NodeSelectorTerm>, strictValues: boolean): FieldError[] {
  return [
    ...matchExpressions.flatMap((requirement, index) => validateNodeRequirement(`${field}.matchExpressions[${index}]`, requirement, strictValues)),
    ...matchFields.flatMap((requirement, index) => validateNodeField(`${field}.matchFields[${index}]`, requirement)),
  ];
}

function validateNodeRequirement(field: string, { key, operator, values = [] }: Frozen<NodeSelectorRequirement>, strictValues: boolean): FieldError[] {
  const errors: FieldError[] = [];
  if (operator === "In" || operator === "NotIn") {
    if (values.length === 0) errors.push(required(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === "Exists" || operator === "DoesNotExist") {
    if (values.length > 0) errors.push(forbiddenField(`${field}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
  } else if (operator === "Gt" || operator === "Lt") {
    if (values.length !== 1) errors.push(required(`${field}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
  } else {
    errors.push(invalidValue(`${field}.operator`, operator ?? "", "not a valid selector operator"));
  }
  errors.push(...labelName(`${field}.key`, key ?? ""));
  return strictValues ? [...errors, ...values.flatMap((value, index) => labelValue(`${field}.values[${index}]`, value))] : errors;
}

/** Only the node's name can be selected by field. */
function validateNodeField(field: string, { key, operator, values = [] }: Frozen<NodeSelectorRequirement>): FieldError[] {
  const errors: FieldError[] = [];
  if (operator !== "In" && operator !== "NotIn") errors.push(invalidValue(`${field}.operator`, operator ?? "", "not a valid selector operator"));
  else if (values.length !== 1) errors.push(required(`${field}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"));
  if (key !== "metadata.name") return [...errors, invalidValue(`${field}.key`, key ?? "", "not a valid field selector key")];
  return [...errors, ...values.flatMap((value, index) => dnsSubdomain(`${field}.values[${index}]`, value))];
}

function validatePodAffinity(field: string, affinity: Frozen<PodAffinity> | undefined): FieldError[] {
  const needed = affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [], preferred = affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return [
    ...needed.flatMap((term, index) => validatePodTerm(`${field}.requiredDuringSchedulingIgnoredDuringExecution[${index}]`, term)),
    ...preferred.flatMap(({ weight, podAffinityTerm }, index) => {
      const at = `${field}.preferredDuringSchedulingIgnoredDuringExecution[${index}]`;
      return [...validateWeight(`${at}.weight`, weight), ...validatePodTerm(`${at}.podAffinityTerm`, podAffinityTerm ?? {})];
    }),
  ];
}

function validatePodTerm(field: string, term: Frozen<Partial<PodAffinityTerm>>): FieldError[] {
  const topologyKey = term.topologyKey ?? "";
  return [
    ...validateLabelSelector(term.labelSelector, `${field}.labelSelector`),
    ...validateLabelSelector(term.namespaceSelector, `${field}.namespaceSelector`),
    ...(term.namespaces ?? []).flatMap((name) => dnsLabel(`${field}.namespace`, name)),
    ...validateLabelKeys(field, term.matchLabelKeys ?? [], term.mismatchLabelKeys ?? [], term.labelSelector !== undefined),
    ...(topologyKey === "" ? [required(`${field}.topologyKey`, "can not be empty")] : []),
    ...labelName(`${field}.topologyKey`, topologyKey),
  ];
}

function validateLabelKeys(field: string, match: readonly string[], mismatch: readonly string[], hasSelector: boolean): FieldError[] {
  if (!hasSelector && match.length + mismatch.length > 0) return [...(match.length ? [forbiddenField(`${field}.matchLabelKeys`, "must not be specified when labelSelector is not set")] : []), ...(mismatch.length ? [forbiddenField(`${field}.mismatchLabelKeys`, "must not be specified when labelSelector is not set")] : [])];
  return [
    ...match.flatMap((key, index) => labelName(`${field}.matchLabelKeys[${index}]`, key)),
    ...mismatch.flatMap((key, index) => labelName(`${field}.mismatchLabelKeys[${index}]`, key)),
    ...match.flatMap((key, index) => (mismatch.includes(key) ? [invalidValue(`${field}.matchLabelKeys[${index}]`, key, "exists in both matchLabelKeys and mismatchLabelKeys")] : [])),
  ];
}

const effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

export function validateTolerations(field: string, tolerations: Frozen<Toleration[]> | undefined): FieldError[] {
  return (tolerations ?? []).flatMap((toleration, index) => validateToleration(`${field}[${index}]`, toleration));
}

function validateToleration(field: string, { key, operator, value = "", effect, tolerationSeconds }: Frozen<Toleration>): FieldError[] {
  const errors: FieldError[] = given(key, (name) => labelName(`${field}.key`, name));
  if (!key && operator !== "Exists") errors.push(invalidValue(`${field}.operator`, operator ?? "", "operator must be Exists when `key` is empty, which means \"match all values and all keys\""));
  if (tolerationSeconds !== undefined && effect !== "NoExecute") errors.push(invalidValue(`${field}.effect`, effect ?? "", "effect must be 'NoExecute' when `tolerationSeconds` is set"));
  if (!operator || operator === "Equal") {
    const problems = labelValueErrors(value);
    if (problems.length > 0) errors.push(invalidValue(`${field}.operator`, value, problems.join(";")));
  } else if (operator === "Exists") {
    if (value !== "") errors.push(invalidValue(`${field}.operator`, value, "value must be empty when `operator` is 'Exists'"));
  } else {
    errors.push(notSupported(`${field}.operator`, operator, ["Equal", "Exists"]));
  }
  return [...errors, ...given(effect, (name) => oneOf(`${field}.effect`, name, effects))];
}

const inclusionPolicies = ["Honor", "Ignore"];

export function validateSpread(field: string, constraints: Frozen<TopologySpreadConstraint[]> | undefined): FieldError[] {
  return (constraints ?? []).flatMap((constraint, index) => {
    const at = `${field}[${index}]`, { maxSkew, topologyKey, whenUnsatisfiable, minDomains } = constraint;
    const repeated = constraints!.slice(index + 1).some((other) => other.topologyKey === topologyKey && other.whenUnsatisfiable === whenUnsatisfiable);
    return [
      ...positive(`${at}.maxSkew`, maxSkew),
      ...(topologyKey ? [] : [required(`${at}.topologyKey`, "can not be empty")]),
      ...(whenUnsatisfiable === "DoNotSchedule" || whenUnsatisfiable === "ScheduleAnyway" ? [] : [notSupported(`${at}.whenUnsatisfiable`, whenUnsatisfiable ?? "", ["DoNotSchedule", "ScheduleAnyway"])]),
      ...(repeated ? [duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, `{${topologyKey}, ${whenUnsatisfiable}}`)] : []),
      ...(minDomains === undefined ? [] : positive(`${at}.minDomains`, minDomains)),
      ...(minDomains !== undefined && whenUnsatisfiable !== "DoNotSchedule" ? [invalidValue(`${at}.minDomains`, minDomains, `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable ?? ""}`)] : []),
      ...stated(`${at}.nodeAffinityPolicy`, constraint.nodeAffinityPolicy, inclusionPolicies),
      ...stated(`${at}.nodeTaintsPolicy`, constraint.nodeTaintsPolicy, inclusionPolicies),
      ...validateLabelKeys(at, constraint.matchLabelKeys ?? [], [], constraint.labelSelector !== undefined),
      ...validateLabelSelector(constraint.labelSelector, `${at}.labelSelector`),
    ];
  });
}
