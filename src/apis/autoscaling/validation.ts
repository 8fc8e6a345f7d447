import { forbiddenField, invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { compareQuantities, type QuantityLike } from "../../apimachinery/quantity.ts";
import { pathSegmentErrors } from "../../apimachinery/validation/names.ts";
import type { CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, HPAScalingRules, MetricIdentifier, MetricSpec, MetricTarget } from "../generated/autoscaling/v2.ts";
import { dnsLabel, nonNegative } from "../core/field-rules.ts";
import { containerResourceName, nonNegativeAmount } from "../core/resource-names.ts";

/** What an object that is already there may keep though it would be refused today. */
interface Tolerated {
  minReplicas: number;
  target?: boolean;
  described?: boolean;
}

export const validateAutoscaler = ({ spec }: Frozen<HorizontalPodAutoscaler>, tolerated: Tolerated = { minReplicas: 1 }): FieldError[] =>
  validateSpec(spec ?? { scaleTargetRef: { kind: "", name: "" }, maxReplicas: 0 }, tolerated);

export function validateAutoscalerUpdate(autoscaler: Frozen<HorizontalPodAutoscaler>, old: Frozen<HorizontalPodAutoscaler>): FieldError[] {
  const target = autoscaler.spec?.scaleTargetRef, was = old.spec?.scaleTargetRef;
  return validateAutoscaler(autoscaler, {
    minReplicas: old.spec?.minReplicas === 0 ? 0 : 1,
    target: target?.apiVersion === was?.apiVersion && target?.kind === was?.kind,
    described: (old.spec?.metrics ?? []).some(({ object }) => object && apiVersionError(object.describedObject?.apiVersion, true) !== undefined),
  });
}

export const validateAutoscalerStatusUpdate = ({ status }: Frozen<HorizontalPodAutoscaler>): FieldError[] =>
  [...nonNegative("status.currentReplicas", status?.currentReplicas), ...nonNegative("status.desiredReplicas", status?.desiredReplicas)];

function validateSpec(spec: Frozen<HorizontalPodAutoscalerSpec>, tolerated: Tolerated): FieldError[] {
  const { minReplicas, maxReplicas = 0, scaleTargetRef, metrics = [], behavior } = spec, errors: FieldError[] = [];
  if (minReplicas !== undefined && minReplicas < tolerated.minReplicas) errors.push(invalidValue("spec.minReplicas", minReplicas, `must be greater than or equal to ${tolerated.minReplicas}`));
  if (maxReplicas === 0) errors.push(required("spec.maxReplicas", "must be set and greater than 0"));
  else if (maxReplicas < 0) errors.push(invalidValue("spec.maxReplicas", maxReplicas, "must be greater than or equal to 1"));
  if (minReplicas !== undefined && maxReplicas < minReplicas) errors.push(invalidValue("spec.maxReplicas", maxReplicas, "must be greater than or equal to `minReplicas`"));
  const ofCore = scaleTargetRef?.kind === "ReplicationController";
  errors.push(...validateReference("spec.scaleTargetRef", scaleTargetRef ?? { kind: "", name: "" }, ofCore, tolerated.target === true));
  errors.push(...metrics.flatMap((metric, index) => validateMetric(`spec.metrics[${index}]`, metric, tolerated.described === true)));
  if (minReplicas === 0 && !metrics.some(({ type }) => type === "Object" || type === "External")) {
    errors.push(forbiddenField("spec.metrics", "must specify at least one Object or External metric to support scaling to zero replicas"));
  }
  for (const name of ["scaleUp", "scaleDown"] as const) if (behavior?.[name]) errors.push(...validateRules(`spec.behavior.${name}`, behavior[name]));
  return errors;
}

const segment = (field: string, value: string): FieldError[] => (value ? pathSegmentErrors(value).map((message) => invalidValue(field, value, message)) : [required(field)]);

function validateReference(field: string, { kind, name, apiVersion }: Frozen<CrossVersionObjectReference>, coreAllowed: boolean, anyVersion: boolean): FieldError[] {
  const wrong = anyVersion ? undefined : apiVersionError(apiVersion, coreAllowed);
  return [...segment(`${field}.kind`, kind), ...segment(`${field}.name`, name), ...(wrong === undefined ? [] : [invalidValue(`${field}.apiVersion`, apiVersion ?? "", wrong)])];
}

function apiVersionError(apiVersion = "", coreAllowed: boolean): string | undefined {
  const parts = apiVersion.split("/");
  if (parts.length > 2) return `unexpected GroupVersion string: ${apiVersion}`;
  const group = parts.length === 2 ? parts[0] : "";
  return group === "" && !coreAllowed ? "apiVersion must specify API group" : undefined;
}

const selectPolicies = ["Disabled", "Max", "Min"], policyTypes = ["Percent", "Pods"];

function validateRules(field: string, { stabilizationWindowSeconds: window, selectPolicy, policies = [], tolerance }: Frozen<HPAScalingRules>): FieldError[] {
  const errors: FieldError[] = [];
  if (window !== undefined && window < 0) errors.push(invalidValue(`${field}.stabilizationWindowSeconds`, window, "must be greater than or equal to zero"));
  if (window !== undefined && window > 3600) errors.push(invalidValue(`${field}.stabilizationWindowSeconds`, window, "must be less than or equal to 3600"));
  if (selectPolicy !== undefined && !selectPolicies.includes(selectPolicy)) errors.push(notSupported(`${field}.selectPolicy`, selectPolicy, selectPolicies));
  if (policies.length === 0) errors.push(required(`${field}.policies`, "must specify at least one Policy"));
  for (const [index, { type, value = 0, periodSeconds = 0 }] of policies.entries()) {
    const at = `${field}.policies[${index}]`;
    if (!policyTypes.includes(type)) errors.push(notSupported(`${at}.type`, type ?? "", policyTypes));
    if (value <= 0) errors.push(invalidValue(`${at}.value`, value, "must be greater than zero"));
    if (periodSeconds <= 0) errors.push(invalidValue(`${at}.periodSeconds`, periodSeconds, "must be greater than zero"));
    if (periodSeconds > 1800) errors.push(invalidValue(`${at}.periodSeconds`, periodSeconds, "must be less than or equal to 1800"));
  }
  return tolerance === undefined ? errors : [...errors, ...nonNegativeAmount(`${field}.tolerance`, tolerance)];
}

/** In the order that Kubernetes looks at them: only the first that is set is checked. */
const sources = ["object", "external", "pods", "resource", "containerResource"] as const;
const metricTypes = ["ContainerResource", "External", "Object", "Pods", "Resource"];

function validateMetric(field: string, metric: Frozen<MetricSpec>, anyVersion: boolean): FieldError[] {
  const { type = "" } = metric, errors: FieldError[] = [];
  const unsupported = notSupported(`${field}.type`, type, metricTypes), known = metricTypes.includes(type);
  if (type === "") errors.push(required(`${field}.type`, "must specify a metric source type"));
  if (!known) errors.push(unsupported);
  const present = sources.filter((name) => metric[name] !== undefined);
  if (present[0]) errors.push(...validateSource(`${field}.${present[0]}`, present[0], metric, anyVersion));
  const expected = known ? type[0]!.toLowerCase() + type.slice(1) : "";
  if (!known) errors.push(unsupported);
  else if (!present.some((name) => name === expected)) errors.push(required(`${field}.${expected}`, "must populate information for the given metric source"));
  if (present.length !== 1) errors.push(...present.filter((name) => name !== expected).map((name) => forbiddenField(`${field}.${name}`, "must populate the given metric source only")));
  return errors;
}

function validateSource(field: string, name: (typeof sources)[number], metric: Frozen<MetricSpec>, anyVersion: boolean): FieldError[] {
  switch (name) {
    case "object": return validateObjectSource(field, metric.object!, anyVersion);
    case "external": return validateExternalSource(field, metric.external!);
    case "pods": {
      const { metric: identifier, target } = metric.pods!;
      return [...validateIdentifier(field, identifier), ...validateTarget(field, target), ...(target?.averageValue === undefined ? [required(`${field}.target.averageValue`, "must specify a positive target averageValue")] : [])];
    }
    case "resource": return [...(metric.resource!.name ? [] : [required(`${field}.name`, "must specify a resource name")]), ...validateResourceTarget(field, metric.resource!.target)];
    case "containerResource": {
      const { name: resource, container, target } = metric.containerResource!;
      return [
        ...(resource ? containerResourceName(`${field}.name`, resource) : [required(`${field}.name`, "must specify a resource name")]),
        ...(container ? dnsLabel(`${field}.container`, container) : [required(`${field}.container`, "must specify a container")]),
        ...validateResourceTarget(field, target),
      ];
    }
  }
}

function validateObjectSource(field: string, { describedObject, metric, target }: Frozen<NonNullable<MetricSpec["object"]>>, anyVersion: boolean): FieldError[] {
  const errors = [...validateReference(`${field}.describedObject`, describedObject ?? { kind: "", name: "" }, true, anyVersion), ...validateIdentifier(field, metric), ...validateTarget(field, target)];
  return target?.value === undefined && target?.averageValue === undefined ? [...errors, required(`${field}.target.averageValue`, "must set either a target value or averageValue")] : errors;
}

function validateExternalSource(field: string, { metric, target }: Frozen<NonNullable<MetricSpec["external"]>>): FieldError[] {
  const errors = [...validateIdentifier(field, metric), ...validateTarget(field, target)];
  if (target?.value === undefined && target?.averageValue === undefined) errors.push(required(`${field}.target.averageValue`, "must set either a target value for metric or a per-pod target"));
  if (target?.value !== undefined && target.averageValue !== undefined) errors.push(forbiddenField(`${field}.target.value`, "may not set both a target value for metric and a per-pod target"));
  return errors;
}

function validateResourceTarget(field: string, target: Frozen<MetricTarget> | undefined): FieldError[] {
  const errors = validateTarget(field, target), { averageUtilization, averageValue } = target ?? {};
  if (averageUtilization === undefined && averageValue === undefined) errors.push(required(`${field}.target.averageUtilization`, "must set either a target raw value or a target utilization"));
  if (averageUtilization !== undefined && averageValue !== undefined) errors.push(forbiddenField(`${field}.target.averageValue`, "may not set both a target raw value and a target utilization"));
  return errors;
}

const isPositive = (amount: QuantityLike): boolean => compareQuantities(amount, "0") > 0;

function validateTarget(source: string, target: Frozen<MetricTarget> | undefined): FieldError[] {
  const field = `${source}.target`, { type = "", value, averageValue, averageUtilization } = target ?? {};
  const errors: FieldError[] = type === "" ? [required(`${field}.type`, "must specify a metric target type")] : [];
  if (type !== "Utilization" && type !== "Value" && type !== "AverageValue") errors.push(invalidValue(`${field}.type`, type, "must be either Utilization, Value, or AverageValue"));
  if (value !== undefined && !isPositive(value)) errors.push(invalidValue(`${field}.value`, value, "must be positive"));
  if (averageValue !== undefined && !isPositive(averageValue)) errors.push(invalidValue(`${field}.averageValue`, averageValue, "must be positive"));
  if (averageUtilization !== undefined && averageUtilization < 1) errors.push(invalidValue(`${field}.averageUtilization`, averageUtilization, "must be greater than 0"));
  return errors;
}

function validateIdentifier(source: string, metric: Frozen<MetricIdentifier> | undefined): FieldError[] {
  const field = `${source}.metric.name`, name = metric?.name ?? "";
  return name ? pathSegmentErrors(name).map((message) => invalidValue(field, name, message)) : [required(field, "must specify a metric name")];
}
