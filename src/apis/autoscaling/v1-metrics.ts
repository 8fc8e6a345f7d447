import type { Frozen } from "../../apimachinery/meta.ts";
import { compareQuantities } from "../../apimachinery/quantity.ts";
import type { CrossVersionObjectReference, MetricIdentifier, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from "../generated/autoscaling/v2.ts";
import type { LabelSelector } from "../generated/meta/v1.ts";

/** Metrics as annotations of autoscaling/v1 have them: flat, in fields of older names. */

type Amount = string | number;
interface Flat {
  target?: CrossVersionObjectReference;
  metricName?: string;
  selector?: LabelSelector;
  metricSelector?: LabelSelector;
  name?: string;
  container?: string;
}
interface FlatSource extends Flat {
  targetValue?: Amount;
  averageValue?: Amount;
  targetAverageValue?: Amount;
  targetAverageUtilization?: number;
}
interface FlatStatus extends Flat {
  currentValue?: Amount;
  averageValue?: Amount;
  currentAverageValue?: Amount;
  currentAverageUtilization?: number;
}
type Of<T> = { type: string } & { [K in "object" | "pods" | "resource" | "containerResource" | "external"]?: T };
export type V1MetricSpec = Of<FlatSource>;
export type V1MetricStatus = Of<FlatStatus>;

const present = <T extends object>(object: T): T => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
const reference = ({ kind, name, apiVersion }: Frozen<CrossVersionObjectReference> = { kind: "", name: "" }): CrossVersionObjectReference => present({ kind, name, apiVersion }) as CrossVersionObjectReference;

export function metricToV1(metric: Frozen<MetricSpec>): V1MetricSpec {
  const { type, object, pods, resource, containerResource, external } = metric as MetricSpec;
  return present<V1MetricSpec>({
    type,
    object: object && present({ target: reference(object.describedObject), metricName: object.metric.name, targetValue: object.target.value ?? "0", selector: object.metric.selector, averageValue: object.target.averageValue }),
    pods: pods && present({ metricName: pods.metric.name, targetAverageValue: pods.target.averageValue ?? "0", selector: pods.metric.selector }),
    resource: resource && present({ name: resource.name, targetAverageUtilization: resource.target.averageUtilization, targetAverageValue: resource.target.averageValue }),
    containerResource: containerResource && present({ name: containerResource.name, targetAverageUtilization: containerResource.target.averageUtilization, targetAverageValue: containerResource.target.averageValue, container: containerResource.container }),
    external: external && present({ metricName: external.metric.name, metricSelector: external.metric.selector, targetValue: external.target.value, targetAverageValue: external.target.averageValue }),
  } as V1MetricSpec);
}

const identifier = (name = "", selector?: LabelSelector): MetricIdentifier => present({ name, selector }) as MetricIdentifier;
const target = (type: MetricTarget["type"], amounts: Partial<MetricTarget>): MetricTarget => present({ type, ...amounts }) as MetricTarget;

export function metricFromV1({ type, object, pods, resource, containerResource, external }: V1MetricSpec): MetricSpec {
  const ofResource = ({ name = "", targetAverageUtilization: averageUtilization, targetAverageValue: averageValue }: FlatSource): { name: string; target: MetricTarget } =>
    ({ name, target: target(averageUtilization === undefined ? "AverageValue" : "Utilization", { averageValue, averageUtilization } as Partial<MetricTarget>) });
  return present({
    type,
    object: object && { describedObject: reference(object.target), metric: identifier(object.metricName, object.selector), target: objectTarget(object) },
    pods: pods && { metric: identifier(pods.metricName, pods.selector), target: target("AverageValue", { averageValue: pods.targetAverageValue ?? "0" }) },
    resource: resource && ofResource(resource),
    containerResource: containerResource && { ...ofResource(containerResource), container: containerResource.container ?? "" },
    external: external && { metric: identifier(external.metricName, external.metricSelector), target: target(external.targetValue === undefined ? "AverageValue" : "Value", { value: external.targetValue, averageValue: external.targetAverageValue } as Partial<MetricTarget>) },
  }) as MetricSpec;
}

/** v1 cannot leave the value out: next to an average, zero means that there is none. */
function objectTarget({ targetValue = "0", averageValue }: FlatSource): MetricTarget {
  if (averageValue === undefined) return target("Value", { value: targetValue });
  return target("AverageValue", compareQuantities(targetValue, "0") === 0 ? { averageValue } : { value: targetValue, averageValue });
}

export function metricStatusToV1(metric: Frozen<MetricStatus>): V1MetricStatus {
  const { type, object, pods, resource, containerResource, external } = metric as MetricStatus;
  const usage = ({ averageUtilization, averageValue }: MetricValueStatus): FlatStatus => ({ ...(averageUtilization === undefined ? {} : { currentAverageUtilization: averageUtilization }), currentAverageValue: averageValue ?? "0" });
  return present<V1MetricStatus>({
    type,
    object: object && present({ target: reference(object.describedObject), metricName: object.metric.name, currentValue: object.current.value ?? "0", selector: object.metric.selector, averageValue: object.current.averageValue }),
    pods: pods && present({ metricName: pods.metric.name, currentAverageValue: pods.current.averageValue ?? "0", selector: pods.metric.selector }),
    resource: resource && { name: resource.name, ...usage(resource.current) },
    containerResource: containerResource && { name: containerResource.name, ...usage(containerResource.current), container: containerResource.container },
    external: external && present({ metricName: external.metric.name, metricSelector: external.metric.selector, currentValue: external.current.value ?? "0", currentAverageValue: external.current.averageValue }),
  } as V1MetricStatus);
}

export function metricStatusFromV1({ type, object, pods, resource, containerResource, external }: V1MetricStatus): MetricStatus {
  const usage = ({ name = "", currentAverageUtilization: averageUtilization, currentAverageValue: averageValue = "0" }: FlatStatus): { name: string; current: MetricValueStatus } => ({ name, current: present({ averageValue, averageUtilization }) as MetricValueStatus });
  return present({
    type,
    object: object && { describedObject: reference(object.target), metric: identifier(object.metricName, object.selector), current: present({ value: object.currentValue ?? "0", averageValue: object.averageValue }) },
    pods: pods && { metric: identifier(pods.metricName, pods.selector), current: { averageValue: pods.currentAverageValue ?? "0" } },
    resource: resource && usage(resource),
    containerResource: containerResource && { ...usage(containerResource), container: containerResource.container ?? "" },
    external: external && { metric: identifier(external.metricName, external.metricSelector), current: present({ value: external.currentValue ?? "0", averageValue: external.currentAverageValue }) },
  }) as MetricStatus;
}
