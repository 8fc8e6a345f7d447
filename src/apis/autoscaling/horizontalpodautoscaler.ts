import type { Frozen } from "../../apimachinery/meta.ts";
import { formatQuantity, quantityOf } from "../../apimachinery/quantity.ts";
import { ageColumn, defineResource, nameColumn, type Column } from "../../apimachinery/resource.ts";
import type { HorizontalPodAutoscaler, HPAScalingRules, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from "../generated/autoscaling/v2.ts";
import { statusOf } from "./v1-conversion.ts";
import { validateAutoscaler, validateAutoscalerStatusUpdate, validateAutoscalerUpdate } from "./validation.ts";
export type { HorizontalPodAutoscaler } from "../generated/autoscaling/v2.ts";

export const horizontalpodautoscalers = defineResource<HorizontalPodAutoscaler>({
  group: "autoscaling", version: "v2", kind: "HorizontalPodAutoscaler", resource: "horizontalpodautoscalers", scope: "Namespaced", shortNames: ["hpa"], categories: ["all"],
  subresources: { status: true },
  schema: "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
  default: defaultAutoscaler,
  strategy: {
    prepareForCreate(autoscaler) {
      // Kubernetes counts no generations of these.
      delete autoscaler.metadata.generation;
      autoscaler.status = statusOf({ desiredReplicas: 0 });
    },
    validate: (autoscaler) => validateAutoscaler(autoscaler),
    validateUpdate: validateAutoscalerUpdate,
    validateStatusUpdate: validateAutoscalerStatusUpdate,
  },
  columns: autoscalerColumns((autoscaler) => autoscaler),
  example: () => ({
    apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler", metadata: { name: "example", namespace: "default" },
    spec: { scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "example" }, maxReplicas: 3 },
  }),
});

/** The columns of either version, which see the object as v2. */
export function autoscalerColumns<T>(asV2: (object: Frozen<T>) => Frozen<HorizontalPodAutoscaler>): readonly Column<T & { metadata: object }>[] {
  const column = (name: string, description: string, value: (autoscaler: Frozen<HorizontalPodAutoscaler>) => string | number): Column<T & { metadata: object }> =>
    ({ name, type: "string", description, value: (object) => value(asV2(object as Frozen<T>)) });
  return [
    nameColumn<T & { metadata: object }>(),
    column("Reference", "scaleTargetRef points to the target resource to scale, and is used to the pods for which metrics should be collected, as well as to actually change the replica count.", ({ spec }) => `${spec?.scaleTargetRef?.kind ?? ""}/${spec?.scaleTargetRef?.name ?? ""}`),
    column("Targets", "metrics contains the specifications for which to use to calculate the desired replica count (the maximum replica count across all metrics will be used).  The desired replica count is calculated multiplying the ratio between the target value and the current value by the current number of pods.  Ergo, metrics used must decrease as the pod count is increased, and vice-versa.  See the individual metric source types for more information about how each type of metric must respond. If not set, the default metric will be set to 80% average CPU utilization.", ({ spec, status }) => targetsOf(spec?.metrics ?? [], status?.currentMetrics ?? [])),
    column("MinPods", "minReplicas is the lower limit for the number of replicas to which the autoscaler can scale down.  It defaults to 1 pod.  minReplicas is allowed to be 0 if the alpha feature gate HPAScaleToZero is enabled and at least one Object or External metric is configured.  Scaling is active as long as at least one metric value is available.", ({ spec }) => (spec?.minReplicas === undefined ? "<unset>" : String(spec.minReplicas))),
    column("MaxPods", "maxReplicas is the upper limit for the number of replicas to which the autoscaler can scale up. It cannot be less that minReplicas.", ({ spec }) => spec?.maxReplicas ?? 0),
    column("Replicas", "currentReplicas is current number of replicas of pods managed by this autoscaler, as last seen by the autoscaler.", ({ status }) => status?.currentReplicas ?? 0),
    ageColumn<T & { metadata: object }>(),
  ];
}

function defaultAutoscaler(autoscaler: HorizontalPodAutoscaler): void {
  const spec = (autoscaler.spec ??= { scaleTargetRef: { kind: "", name: "" }, maxReplicas: 0 });
  spec.minReplicas ??= 1;
  if (!spec.metrics?.length) spec.metrics = [cpuUtilization(80)];
  if (!spec.behavior) return;
  spec.behavior.scaleUp = completed(spec.behavior.scaleUp, { stabilizationWindowSeconds: 0, selectPolicy: "Max", policies: [{ type: "Pods", value: 4, periodSeconds: 15 }, { type: "Percent", value: 100, periodSeconds: 15 }] });
  spec.behavior.scaleDown = completed(spec.behavior.scaleDown, { selectPolicy: "Max", policies: [{ type: "Percent", value: 100, periodSeconds: 15 }] });
}

export const cpuUtilization = (percent: number): MetricSpec => ({ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: percent } } });

function completed(rules: HPAScalingRules | undefined, defaults: HPAScalingRules): HPAScalingRules {
  const stated = Object.fromEntries(Object.entries(rules ?? {}).filter(([, value]) => value !== undefined));
  return { ...defaults, ...stated };
}

function targetsOf(specs: Frozen<MetricSpec[]>, statuses: Frozen<MetricStatus[]>): string {
  if (specs.length === 0) return "<none>";
  const shown = specs.slice(0, 2).map((spec, index) => targetOf(spec, statuses[index])).join(", ");
  return specs.length > 2 ? `${shown} + ${specs.length - 2} more...` : shown;
}

const unknown = "<unknown>";
const text = (amount: string | number | undefined): string => formatQuantity(quantityOf(amount ?? "0"));

function targetOf(spec: Frozen<MetricSpec>, status: Frozen<MetricStatus> | undefined): string {
  switch (spec.type) {
    case "External": return ofOneValue(spec.external?.target, status?.external?.current);
    case "Object": return ofOneValue(spec.object?.target, status?.object?.current);
    case "Pods": return `${status?.pods ? text(status.pods.current?.averageValue) : unknown}/${text(spec.pods?.target.averageValue)}`;
    case "Resource": return ofResource(spec.resource?.name, spec.resource?.target, status?.resource?.current);
    case "ContainerResource": return ofResource(spec.containerResource?.name, spec.containerResource?.target, status?.containerResource?.current);
    default: return "<unknown type>";
  }
}

function ofOneValue(target: Frozen<MetricTarget> | undefined, current: Frozen<MetricValueStatus> | undefined): string {
  if (target?.averageValue === undefined) return `${current ? text(current.value) : unknown}/${text(target?.value)}`;
  return `${current?.averageValue === undefined ? unknown : text(current.averageValue)}/${text(target.averageValue)} (avg)`;
}

function ofResource(name = "", target: Frozen<MetricTarget> | undefined, current: Frozen<MetricValueStatus> | undefined): string {
  if (target?.averageValue !== undefined) return `${name}: ${current ? text(current.averageValue) : unknown}/${text(target.averageValue)}`;
  const used = current?.averageUtilization === undefined ? unknown : `${current.averageUtilization}%`;
  return `${name}: ${used}/${target?.averageUtilization === undefined ? "<auto>" : `${target.averageUtilization}%`}`;
}

