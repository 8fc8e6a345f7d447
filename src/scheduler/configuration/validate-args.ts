import { duplicate, forbiddenField, invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import { labelKeyErrors, labelValueErrors } from "../../apimachinery/validation/names.ts";
import type { NodeSelectorRequirement, NodeSelectorTerm, TopologySpreadConstraint } from "../../apis/generated/core/v1.ts";
import type { DefaultPreemptionArgs, InterPodAffinityArgs, NodeAffinityArgs, NodeResourcesBalancedAllocationArgs, NodeResourcesFitArgs, PodTopologySpreadArgs, UtilizationShapePoint, VolumeBindingArgs } from "./plugin-args.ts";

/** What plugins say of their arguments, by plugin. Source: kubernetes pkg/scheduler/apis/config/validation/validation_pluginargs.go. */
export const argsValidators: Readonly<Record<string, (args: any, field: string) => FieldError[]>> = {
  DefaultPreemption: defaultPreemption,
  InterPodAffinity: interPodAffinity,
  NodeAffinity: nodeAffinity,
  NodeResourcesBalancedAllocation: balancedAllocation,
  NodeResourcesFit: nodeResourcesFit,
  PodTopologySpread: podTopologySpread,
  VolumeBinding: volumeBinding,
};

const outside = (value: number, low: number, high: number): boolean => value < low || value > high;

function defaultPreemption({ minCandidateNodesPercentage: percentage, minCandidateNodesAbsolute: absolute }: DefaultPreemptionArgs, field: string): FieldError[] {
  const ofPercentage = `${field}.minCandidateNodesPercentage`, ofAbsolute = `${field}.minCandidateNodesAbsolute`;
  return [
    ...(outside(percentage, 0, 100) ? [invalidValue(ofPercentage, percentage, "not in valid range [0, 100]")] : []),
    ...(absolute < 0 ? [invalidValue(ofAbsolute, absolute, "not in valid range [0, inf)")] : []),
    ...(percentage === 0 && absolute === 0 ? [invalidValue(ofPercentage, 0, "cannot be zero at the same time as minCandidateNodesAbsolute"), invalidValue(ofAbsolute, 0, "cannot be zero at the same time as minCandidateNodesPercentage")] : []),
  ];
}

function interPodAffinity({ hardPodAffinityWeight: weight }: InterPodAffinityArgs, field: string): FieldError[] {
  return outside(weight, 0, 100) ? [invalidValue(`${field}.hardPodAffinityWeight`, weight, "not in valid range [0, 100]")] : [];
}

function nodeAffinity({ addedAffinity }: NodeAffinityArgs, field: string): FieldError[] {
  const at = `${field}.addedAffinity`;
  return [
    ...(addedAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []).flatMap((term, i) => nodeTerm(term, `${at}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[${i}]`)),
    ...(addedAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).flatMap(({ weight, preference }, i) => (weight === 0 ? [] : nodeTerm(preference, `${at}.preferredDuringSchedulingIgnoredDuringExecution[${i}]`))),
  ];
}

function nodeTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, field: string): FieldError[] {
  return [
    ...matchExpressions.flatMap((requirement, i) => nodeLabel(requirement, `${field}.matchExpressions[${i}]`)),
    ...matchFields.flatMap(({ operator, values = [] }, i) => {
      if (operator !== "In" && operator !== "NotIn") return [notSupported(`${field}.matchFields[${i}].operator`, operator, ["In", "NotIn"])];
      return values.length === 1 ? [] : [invalidValue(`${field}.matchFields[${i}].values`, values, "must have one element")];
    }),
  ];
}

const operators = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];

function nodeLabel({ key, operator, values = [] }: NodeSelectorRequirement, field: string): FieldError[] {
  if (!operators.includes(operator)) return [notSupported(`${field}.operator`, operator, operators)];
  const errors = labelKeyErrors(key).map((message) => invalidValue(`${field}.key`, key, message));
  if ((operator === "In" || operator === "NotIn") && values.length === 0) errors.push(invalidValue(`${field}.values`, values, "for 'in', 'notin' operators, values set can't be empty"));
  if ((operator === "Exists" || operator === "DoesNotExist") && values.length > 0) errors.push(invalidValue(`${field}.values`, values, "values set must be empty for exists and does not exist"));
  if (operator === "Gt" || operator === "Lt") {
    if (values.length !== 1) errors.push(invalidValue(`${field}.values`, values, "for 'Gt', 'Lt' operators, exactly one value is required"));
    values.forEach((value, i) => /^[-+]?\d+$/.test(value) || errors.push(invalidValue(`${field}.values[${i}]`, value, "for 'Gt', 'Lt' operators, the value must be an integer")));
  }
  return [...errors, ...values.flatMap((value, i) => labelValueErrors(value).map((message) => invalidValue(`${field}.values[${i}][${key}]`, value, message)))];
}

function balancedAllocation({ resources }: NodeResourcesBalancedAllocationArgs, field: string): FieldError[] {
  return resources.flatMap(({ name, weight }, i) => [
    ...(resources.findIndex((other) => other.name === name) < i ? [duplicate(`${field}.resources[${i}].name`, name)] : []),
    ...(weight === 1 ? [] : [invalidValue(`${field}.resources[${i}].weight`, weight, "must be 1")]),
  ]);
}

const labelName = (name: string, field: string): FieldError[] => labelKeyErrors(name).map((message) => invalidValue(field, name, message));

function nodeResourcesFit({ ignoredResources, ignoredResourceGroups, scoringStrategy }: NodeResourcesFitArgs, field: string): FieldError[] {
  const strategies = ["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"], strategyAt = `${field}.scoringStrategy`, ratioAt = `${strategyAt}.requestedToCapacityRatio`;
  const { type, resources, requestedToCapacityRatio: ratio } = scoringStrategy;
  const errors = [
    ...ignoredResources.flatMap((name, i) => labelName(name, `${field}.ignoredResources[${i}]`)),
    ...ignoredResourceGroups.flatMap((group, i) => [...(group.includes("/") ? [invalidValue(`${field}.ignoredResourceGroups[${i}]`, group, "resource group name can't contain '/'")] : []), ...labelName(group, `${field}.ignoredResourceGroups[${i}]`)]),
    ...(strategies.includes(type) ? [] : [notSupported(`${strategyAt}.type`, type, strategies)]),
    ...resources.flatMap(({ name, weight }, i) => (weight > 0 && weight <= 100 ? [] : [invalidValue(`${strategyAt}.resources[${i}].weight`, weight, `resource weight of ${name} not in valid range (0, 100]`)])),
  ];
  if (type !== "RequestedToCapacityRatio") return ratio ? [...errors, forbiddenField(ratioAt, "must be nil when type is not RequestedToCapacityRatio")] : errors;
  return [...errors, ...(ratio ? functionShape(ratio.shape ?? [], `${ratioAt}.shape`) : [required(ratioAt, "must be specified when type is RequestedToCapacityRatio")])];
}

function functionShape(shape: readonly Partial<UtilizationShapePoint>[], field: string): FieldError[] {
  if (shape.length === 0) return [required(field, "at least one point must be specified")];
  const unsorted = shape.findIndex(({ utilization = 0 }, i) => i > 0 && (shape[i - 1]!.utilization ?? 0) >= utilization);
  return [
    ...(unsorted < 0 ? [] : [invalidValue(`${field}[${unsorted}].utilization`, shape[unsorted]!.utilization ?? 0, "values must be sorted in increasing order")]),
    ...shape.flatMap(({ utilization = 0, score = 0 }, i) => [
      ...(outside(utilization, 0, 100) ? [invalidValue(`${field}[${i}].utilization`, utilization, "not in valid range [0, 100]")] : []),
      ...(outside(score, 0, 10) ? [invalidValue(`${field}[${i}].score`, score, "not in valid range [0, 10]")] : []),
    ]),
  ];
}

function podTopologySpread({ defaultConstraints: constraints, defaultingType: type }: PodTopologySpreadArgs, field: string): FieldError[] {
  const known = type === "System" || type === "List";
  return [
    ...(known ? [] : [notSupported(`${field}.defaultingType`, type, ["System", "List"])]),
    ...(type === "System" && constraints.length > 0 ? [invalidValue(`${field}.defaultingType`, type, "when .defaultConstraints are not empty")] : []),
    ...constraints.flatMap((constraint, i) => defaultConstraint(constraint, i, constraints, `${field}.defaultConstraints`)),
  ];
}

function defaultConstraint({ maxSkew = 0, topologyKey = "", whenUnsatisfiable, labelSelector }: Partial<TopologySpreadConstraint>, i: number, all: readonly TopologySpreadConstraint[], field: string): FieldError[] {
  const at = `${field}[${i}]`, actions = ["DoNotSchedule", "ScheduleAnyway"];
  const repeats = all.findIndex((other) => (other.topologyKey ?? "") === topologyKey && other.whenUnsatisfiable === whenUnsatisfiable) < i;
  return [
    ...(maxSkew > 0 ? [] : [invalidValue(`${at}.maxSkew`, maxSkew, "not in valid range (0, inf)")]),
    ...(topologyKey === "" ? [required(`${at}.topologyKey`, "can not be empty")] : labelName(topologyKey, `${at}.topologyKey`)),
    ...(!whenUnsatisfiable ? [required(`${at}.whenUnsatisfiable`, "can not be empty")] : actions.includes(whenUnsatisfiable) ? [] : [notSupported(`${at}.whenUnsatisfiable`, whenUnsatisfiable, actions)]),
    ...(labelSelector ? [forbiddenField(`${at}.labelSelector`, "constraint must not define a selector, as they deduced for each pod")] : []),
    ...(repeats ? [duplicate(at, `{${topologyKey}, ${whenUnsatisfiable ?? ""}}`)] : []),
  ];
}

function volumeBinding(args: VolumeBindingArgs & { shape?: unknown }, field: string): FieldError[] {
  return [
    ...(args.bindTimeoutSeconds < 0 ? [invalidValue(`${field}.bindTimeoutSeconds`, args.bindTimeoutSeconds, "invalid BindTimeoutSeconds, should not be a negative value")] : []),
    ...(args.shape === undefined ? [] : [invalidValue(`${field}.shape`, args.shape, "unexpected field `shape`, remove it or turn on the feature gate StorageCapacityScoring")]),
  ];
}
