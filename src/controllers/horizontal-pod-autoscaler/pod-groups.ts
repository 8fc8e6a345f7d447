import type { Frozen } from "../../apimachinery/meta.ts";
import { quantityOf, type QuantityLike } from "../../apimachinery/quantity.ts";
import { isPodLevelResource, isRestartableInitContainer, podRequests } from "../../apis/core/pod/resources.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { podCondition } from "../pod-status.ts";

/** A pod's metric. Amounts are in thousandths, as Kubernetes calculates: millicores of CPU, thousandths of a byte of memory. */
export interface PodMetric {
  value: bigint;
  /** The end of what was measured, and how long that was, in milliseconds. */
  timestamp: number;
  window: number;
}
/** By the pod's name. */
export type PodMetrics = Map<string, PodMetric>;

/** For so long after its start the CPU use of a pod counts only while it is ready. */
const cpuInitializationPeriod = 5 * 60_000;
/** A pod that was last unready so soon after its start has never been ready. */
const initialReadinessDelay = 30_000;

/** Thousandths, rounded away from zero. */
export function milli(quantity: QuantityLike): bigint {
  const { nano } = quantityOf(quantity), whole = nano / 1_000_000n;
  return nano % 1_000_000n === 0n ? whole : nano < 0n ? whole - 1n : whole + 1n;
}

export interface PodGroups {
  ready: number;
  /** Their metrics say nothing yet. */
  unready: Set<string>;
  /** Running, without a metric. */
  missing: Set<string>;
  /** On their way out. */
  ignored: Set<string>;
}

/** Source: groupPods of k8s.io/kubernetes/pkg/controller/podautoscaler. */
export function groupPods(pods: readonly Frozen<Pod>[], metrics: PodMetrics, resource: string, now: number): PodGroups {
  const groups: PodGroups = { ready: 0, unready: new Set(), missing: new Set(), ignored: new Set() };
  for (const pod of pods) {
    const name = pod.metadata.name!, metric = metrics.get(name), phase = pod.status?.phase;
    if (pod.metadata.deletionTimestamp || phase === "Failed") groups.ignored.add(name);
    else if (phase === "Pending") groups.unready.add(name);
    else if (!metric) groups.missing.add(name);
    else if (resource === "cpu" && isStarting(pod, metric, now)) groups.unready.add(name);
    else groups.ready++;
  }
  return groups;
}

function isStarting(pod: Frozen<Pod>, { timestamp, window }: PodMetric, now: number): boolean {
  const ready = podCondition(pod, "Ready"), startTime = pod.status?.startTime;
  if (!ready || !startTime) return true;
  const started = Date.parse(startTime), changed = ready.lastTransitionTime ? Date.parse(ready.lastTransitionTime) : 0, unready = ready.status === "False";
  if (started + cpuInitializationPeriod > now) return unready || timestamp < changed + window;
  return unready && started + initialReadinessDelay > changed;
}

/** What each pod requests of a resource, in thousandths. Throws an Error for a pod that doesn't say. */
export function requestsOf(pods: readonly Frozen<Pod>[], resource: string, container: string): Map<string, bigint> {
  return new Map(pods.map((pod) => [pod.metadata.name!, requestOf(pod, resource, container)]));
}

function requestOf(pod: Frozen<Pod>, resource: string, container: string): bigint {
  const name = pod.metadata.name!, { containers = [], initContainers = [], resources } = pod.spec ?? {};
  if (!container && Object.keys(resources?.requests ?? {}).some(isPodLevelResource)) return podLevelRequest(pod, resource);
  const counted = [...containers, ...initContainers.filter(isRestartableInitContainer)].filter((each) => !container || each.name === container);
  if (container && counted.length === 0) throw new Error(`container ${container} not found in Pod ${name}`);
  return counted.reduce((sum, each) => {
    const request = each.resources?.requests?.[resource];
    if (request === undefined) throw new Error(`missing request for ${resource} in container ${each.name} of Pod ${name}`);
    return sum + milli(request);
  }, 0n);
}

/** What the pod as a whole requests, and for what it does not say, its containers. */
function podLevelRequest(pod: Frozen<Pod>, resource: string): bigint {
  const request = podRequests(pod)[resource];
  if (request === undefined) throw new Error(`missing pod-level request for ${resource} in Pod ${pod.metadata.name}`);
  return milli(request);
}
