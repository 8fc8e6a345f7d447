import type { Frozen } from "../../apimachinery/meta.ts";
import { decode } from "../../apimachinery/schema/decode.ts";
import type { HorizontalPodAutoscaler as V1 } from "../generated/autoscaling/v1.ts";
import type { HorizontalPodAutoscaler as V2, HorizontalPodAutoscalerBehavior, HorizontalPodAutoscalerCondition, MetricSpec, MetricStatus } from "../generated/autoscaling/v2.ts";
import { metricFromV1, metricStatusFromV1, metricStatusToV1, metricToV1, type V1MetricSpec, type V1MetricStatus } from "./v1-metrics.ts";

/** autoscaling/v1 knows CPU alone; what else an autoscaler has travels in annotations. Source: kubernetes pkg/apis/autoscaling/v1/conversion.go. */

const annotation = {
  metrics: "autoscaling.alpha.kubernetes.io/metrics", behavior: "autoscaling.alpha.kubernetes.io/behavior",
  currentMetrics: "autoscaling.alpha.kubernetes.io/current-metrics", conditions: "autoscaling.alpha.kubernetes.io/conditions",
};
export const statusAnnotations: readonly string[] = [annotation.currentMetrics, annotation.conditions];
const carried = [...Object.values(annotation), "autoscaling.alpha.kubernetes.io/scale-down-tolerance", "autoscaling.alpha.kubernetes.io/scale-up-tolerance"];

const isCpuUtilization = (metric: Frozen<MetricSpec>): boolean => metric.type === "Resource" && metric.resource?.name === "cpu" && metric.resource.target?.averageUtilization !== undefined;

type Status = NonNullable<V2["status"]>;
/** The types call the list of current metrics required; it is missing until there are any. */
export const statusOf = (status: Omit<Status, "currentMetrics"> & Partial<Pick<Status, "currentMetrics">>): Status => status as Status;

export function toV1({ metadata, spec, status = statusOf({ desiredReplicas: 0 }) }: Frozen<V2>): V1 {
  const { metrics = [], behavior, scaleTargetRef, minReplicas, maxReplicas = 0 } = spec ?? {};
  const annotations = withoutCarried(metadata.annotations), others = metrics.filter((metric) => !isCpuUtilization(metric));
  const put = (name: string, value: unknown): void => {
    annotations[name] = JSON.stringify(value);
  };
  if (others.length > 0) put(annotation.metrics, others.map(metricToV1));
  if (status.currentMetrics?.length) put(annotation.currentMetrics, status.currentMetrics.map(metricStatusToV1));
  if (behavior) put(annotation.behavior, { ScaleUp: capitalised(behavior.scaleUp), ScaleDown: capitalised(behavior.scaleDown) });
  if (status.conditions?.length) put(annotation.conditions, status.conditions);
  const target = metrics.find(isCpuUtilization)?.resource?.target.averageUtilization;
  const cpu = status.currentMetrics?.findLast(({ type, resource }) => type === "Resource" && resource?.name === "cpu" && resource.current?.averageUtilization !== undefined)?.resource?.current.averageUtilization;
  return {
    apiVersion: "autoscaling/v1", kind: "HorizontalPodAutoscaler", metadata: metadataWith(metadata, annotations),
    spec: { scaleTargetRef: { ...(scaleTargetRef ?? { kind: "", name: "" }) }, ...(minReplicas === undefined ? {} : { minReplicas }), maxReplicas, ...(target === undefined ? {} : { targetCPUUtilizationPercentage: target }) },
    status: {
      ...(status.observedGeneration === undefined ? {} : { observedGeneration: status.observedGeneration }), ...(status.lastScaleTime === undefined ? {} : { lastScaleTime: status.lastScaleTime }),
      currentReplicas: status.currentReplicas ?? 0, desiredReplicas: status.desiredReplicas ?? 0, ...(cpu === undefined ? {} : { currentCPUUtilizationPercentage: cpu }),
    },
  };
}

export function toV2({ metadata, spec, status }: Frozen<V1>): V2 {
  const annotations = metadata.annotations ?? {}, { scaleTargetRef, minReplicas, maxReplicas = 0, targetCPUUtilizationPercentage: target } = spec ?? {};
  const own: MetricSpec[] = target === undefined ? [] : [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: target } } }];
  const others = listIn<V1MetricSpec>(annotations[annotation.metrics], "MetricSpec")?.map(metricFromV1) ?? [];
  const metrics = [...others, ...own];
  if (metrics.length === 0) metrics.push({ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } });
  const behavior = behaviorIn(annotations[annotation.behavior]);
  return {
    apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler", metadata: metadataWith(metadata, withoutCarried(annotations)),
    spec: { scaleTargetRef: { ...(scaleTargetRef ?? { kind: "", name: "" }) }, ...(minReplicas === undefined ? {} : { minReplicas }), maxReplicas, metrics, ...(behavior ? { behavior } : {}) },
    status: statusToV2(status, annotations),
  };
}

function statusToV2(status: Frozen<V1>["status"], annotations: Readonly<Record<string, string>>): Status {
  const { observedGeneration, lastScaleTime, currentReplicas, desiredReplicas = 0, currentCPUUtilizationPercentage: cpu } = status ?? {};
  const own: MetricStatus[] | undefined = cpu === undefined ? undefined : [{ type: "Resource", resource: { name: "cpu", current: { averageUtilization: cpu } } }];
  const currentMetrics = listIn<V1MetricStatus>(annotations[annotation.currentMetrics], "MetricStatus")?.map(metricStatusFromV1) ?? own;
  const conditions = listIn<HorizontalPodAutoscalerCondition>(annotations[annotation.conditions], "HorizontalPodAutoscalerCondition");
  return statusOf({
    ...(observedGeneration === undefined ? {} : { observedGeneration }), ...(lastScaleTime === undefined ? {} : { lastScaleTime }),
    ...(currentReplicas ? { currentReplicas } : {}), desiredReplicas,
    ...(currentMetrics?.length ? { currentMetrics } : {}), ...(conditions?.length ? { conditions } : {}),
  });
}

const withoutCarried = (annotations: Frozen<Record<string, string>> | undefined): Record<string, string> => Object.fromEntries(Object.entries(annotations ?? {}).filter(([name]) => !carried.includes(name)));

function metadataWith(metadata: Frozen<V1>["metadata"], annotations: Record<string, string>): V1["metadata"] {
  const { annotations: _, ...rest } = structuredClone(metadata) as V1["metadata"];
  return Object.keys(annotations).length > 0 ? { ...rest, annotations } : rest;
}

/** A list of a v1 type as an annotation has it; undefined where there is none, or none that can be read. */
function listIn<T>(text: string | undefined, type: string): T[] | undefined {
  if (text === undefined) return undefined;
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list.map((item) => decode<T>(`io.k8s.api.autoscaling.v1.${type}`, item).object) : undefined;
  } catch {
    return undefined;
  }
}

type Loose = Record<string, unknown>;
const rename = (value: unknown, letter: (first: string) => string): unknown => {
  if (Array.isArray(value)) return value.map((item) => rename(item, letter));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value as Loose).filter(([, one]) => one !== null).map(([name, one]) => [letter(name[0]!) + name.slice(1), rename(one, letter)]));
};

/** The behavior annotation has Go's names for the fields, and all of them. */
function capitalised(rules: Frozen<HorizontalPodAutoscalerBehavior>["scaleUp"]): unknown {
  if (!rules) return null;
  const { stabilizationWindowSeconds = null, selectPolicy = null, policies, tolerance = null } = rules;
  return {
    StabilizationWindowSeconds: stabilizationWindowSeconds, SelectPolicy: selectPolicy,
    Policies: policies?.map(({ type, value, periodSeconds }) => ({ Type: type, Value: value, PeriodSeconds: periodSeconds })) ?? null, Tolerance: tolerance,
  };
}

function behaviorIn(text: string | undefined): HorizontalPodAutoscalerBehavior | undefined {
  if (text === undefined) return undefined;
  try {
    const read = decode<HorizontalPodAutoscalerBehavior>("io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerBehavior", rename(JSON.parse(text), (first) => first.toLowerCase())).object;
    return read.scaleUp || read.scaleDown ? read : undefined;
  } catch {
    return undefined;
  }
}

