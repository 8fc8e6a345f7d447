import type { Frozen } from "../../apimachinery/meta.ts";
import { formatQuantity } from "../../apimachinery/quantity.ts";
import { fromLabelSelector, type Selector } from "../../apimachinery/selectors/labels.ts";
import type { LabelSelector } from "../../apimachinery/meta.ts";
import type { MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from "../../apis/generated/autoscaling/v2.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { labelSelectorText } from "../label-selector-text.ts";
import { replicasForAverage, replicasForUtilization, replicasForValue, replicasForValuePerPod, sumOf, type Proposal, type Tolerances } from "./calculator.ts";
import type { Metrics } from "./metrics.ts";
import { milli, type PodMetrics } from "./pod-groups.ts";

/** What is scaled, as all metrics of an autoscaler see it. */
export interface Situation {
  namespace: string;
  specReplicas: number;
  statusReplicas: number;
  selector: Selector;
  pods: readonly Frozen<Pod>[];
  tolerances: Tolerances;
  now: number;
}

export interface Evaluated {
  replicas: number;
  /** Names the metric in conditions and Events. */
  name: string;
  status: MetricStatus;
}

/** Why a metric says nothing: `reason` and `detail` are for a condition and an Event, the message for where it is one among several. */
export class MetricError extends Error {
  override readonly name = "MetricError";
  constructor(readonly reason: string, readonly detail: string, message: string) {
    super(message);
  }
}

type Metric<T> = Frozen<T>;

/** How many replicas a metric asks for. Throws a `MetricError`. Source: computeReplicasForMetric of k8s.io/kubernetes/pkg/controller/podautoscaler. */
export function evaluate(spec: Metric<MetricSpec>, situation: Situation, metrics: Metrics): Promise<Evaluated> {
  switch (spec.type) {
    case "Object": return ofObject(spec.object!, situation, metrics);
    case "Pods": return ofPods(spec.pods!, situation, metrics);
    case "Resource": return ofResource(spec.resource!, situation, metrics);
    case "ContainerResource": return ofContainerResource(spec.containerResource!, situation, metrics);
    case "External": return ofExternal(spec.external!, situation, metrics);
    default: {
      const text = `unknown metric source type ${JSON.stringify(spec.type)}`;
      return Promise.reject(new MetricError("InvalidMetricSourceType", text, text));
    }
  }
}

const quantity = (amount: bigint, format: "DecimalSI" | "BinarySI" = "DecimalSI"): string => formatQuantity({ nano: amount * 1_000_000n, format });
const identifier = ({ name, selector }: Metric<{ name: string; selector?: LabelSelector }>): { name: string; selector?: LabelSelector } => ({ name, ...(selector ? { selector: structuredClone(selector) as LabelSelector } : {}) });

/** Runs `work`; what it throws becomes the error of this metric. `wrap` says it as one among several. */
async function orFail<T>(reason: string, wrap: (detail: string) => string, work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const detail = (error as Error).message;
    throw new MetricError(reason, detail, wrap(detail));
  }
}

async function asking<T>(what: string, fetch: () => Promise<T>): Promise<T> {
  try {
    return await fetch();
  } catch (error) {
    throw new Error(`unable to get ${what}${(error as Error).message}`, { cause: error });
  }
}

async function ofObject({ describedObject, metric, target }: Metric<NonNullable<MetricSpec["object"]>>, situation: Situation, metrics: Metrics): Promise<Evaluated> {
  const { namespace, specReplicas } = situation, reason = "FailedGetObjectMetric", outer = (detail: string): string => `failed to get object metric value: ${detail}`;
  // Kubernetes puts these words in this order.
  const use = (): Promise<bigint> => asking(`metric ${metric.name}: ${describedObject.kind} on ${namespace} ${describedObject.name}/`, () => metrics.object(metric.name, namespace, describedObject, fromLabelSelector(metric.selector)));
  const status = (current: MetricValueStatus): MetricStatus => ({ type: "Object", object: { describedObject: { ...describedObject }, metric: identifier(metric), current } });
  if (target.type === "Value" && target.value !== undefined) {
    const { replicas, usage } = await orFail(reason, outer, async () => replicasForValue({ ...situation, currentReplicas: specReplicas }, await use(), milli(target.value!)));
    return { replicas, name: `${describedObject.kind} metric ${metric.name}`, status: status({ value: quantity(usage) }) };
  }
  if (target.type === "AverageValue" && target.averageValue !== undefined) {
    const { replicas, usage } = await orFail(reason, (detail) => outer(`failed to get ${metric.name} object metric: ${detail}`), async () => replicasForValuePerPod(situation, await use(), milli(target.averageValue!)));
    return { replicas, name: `external metric ${metric.name}(${labelSelectorText(metric.selector)})`, status: status({ averageValue: quantity(usage) }) };
  }
  return orFail(reason, outer, () => Promise.reject(new Error("invalid object metric source: neither a value target nor an average value target was set")));
}

async function ofPods({ metric, target }: Metric<NonNullable<MetricSpec["pods"]>>, situation: Situation, metrics: Metrics): Promise<Evaluated> {
  const { namespace, selector, specReplicas } = situation;
  const { replicas, usage } = await orFail("FailedGetPodsMetric", (detail) => `failed to get pods metric value: ${detail}`, async () => {
    const found = await asking(`metric ${metric.name}: `, () => metrics.pods(metric.name, namespace, selector, fromLabelSelector(metric.selector)));
    return replicasForAverage({ ...situation, currentReplicas: specReplicas, metrics: found, resource: "" }, milli(target.averageValue ?? 0));
  });
  return { replicas, name: `pods metric ${metric.name}`, status: { type: "Pods", pods: { metric: identifier(metric), current: { averageValue: quantity(usage) } } } };
}

async function ofResource({ name, target }: Metric<NonNullable<MetricSpec["resource"]>>, situation: Situation, metrics: Metrics): Promise<Evaluated> {
  const { current, ...rest } = await orFail("FailedGetResourceMetric", (detail) => `failed to get ${name} resource metric value: ${detail}`, () => byResource(name, "", target, situation, metrics));
  return { ...rest, status: { type: "Resource", resource: { name, current } } };
}

async function ofContainerResource({ name, container, target }: Metric<NonNullable<MetricSpec["containerResource"]>>, situation: Situation, metrics: Metrics): Promise<Evaluated> {
  const { current, ...rest } = await orFail("FailedGetContainerResourceMetric", (detail) => `failed to get ${container} container metric value: ${detail}`, () => byResource(name, container, target, situation, metrics));
  return { ...rest, status: { type: "ContainerResource", containerResource: { name, container, current } } };
}

async function byResource(resource: string, container: string, target: Metric<MetricTarget>, situation: Situation, metrics: Metrics): Promise<{ replicas: number; name: string; current: MetricValueStatus }> {
  const { averageValue, averageUtilization } = target, { namespace, selector, specReplicas } = situation;
  if (averageValue === undefined && averageUtilization === undefined) throw new Error("invalid resource metric source: neither an average utilization target nor an average value (usage) target was set");
  let proposal: Proposal;
  try {
    const found: PodMetrics = await asking(`metrics for resource ${resource}: `, () => metrics.resource(resource, namespace, selector, container));
    const of = { ...situation, currentReplicas: specReplicas, metrics: found, resource };
    proposal = averageValue === undefined ? replicasForUtilization(of, averageUtilization!, container) : replicasForAverage(of, milli(averageValue));
  } catch (error) {
    throw new Error(`failed to get ${resource} ${averageValue === undefined ? "utilization" : "usage"}: ${(error as Error).message}`, { cause: error });
  }
  const { replicas, usage, utilization } = proposal;
  // As metrics-server writes it.
  const used = quantity(usage, resource === "memory" ? "BinarySI" : "DecimalSI");
  if (utilization === undefined) return { replicas, name: `${resource} resource`, current: { averageValue: used } };
  return { replicas, name: `${resource} ${container ? "container " : ""}resource utilization (percentage of request)`, current: { averageUtilization: utilization, averageValue: used } };
}

async function ofExternal({ metric, target }: Metric<NonNullable<MetricSpec["external"]>>, situation: Situation, metrics: Metrics): Promise<Evaluated> {
  const { namespace, specReplicas } = situation, reason = "FailedGetExternalMetric", outer = (detail: string): string => `failed to get ${metric.name} external metric value: ${detail}`;
  const text = labelSelectorText(metric.selector);
  const use = async (): Promise<bigint> => sumOf(await asking(`external metric ${namespace}/${metric.name}/${text}: `, () => metrics.external(metric.name, namespace, fromLabelSelector(metric.selector))));
  const answer = (replicas: number, current: MetricValueStatus): Evaluated => ({ replicas, name: `external metric ${metric.name}(${text})`, status: { type: "External", external: { metric: identifier(metric), current } } });
  if (target.averageValue !== undefined) {
    const { replicas, usage } = await orFail(reason, (detail) => outer(`failed to get ${metric.name} external metric: ${detail}`), async () => replicasForValuePerPod(situation, await use(), milli(target.averageValue!)));
    return answer(replicas, { averageValue: quantity(usage) });
  }
  if (target.value !== undefined) {
    const { replicas, usage } = await orFail(reason, (detail) => outer(`failed to get external metric ${metric.name}: ${detail}`), async () => replicasForValue({ ...situation, currentReplicas: specReplicas }, await use(), milli(target.value!)));
    return answer(replicas, { value: quantity(usage) });
  }
  return orFail(reason, outer, () => Promise.reject(new Error("invalid external metric source: neither a value target nor an average value target was set")));
}
