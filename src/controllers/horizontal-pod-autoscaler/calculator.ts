import type { Frozen } from "../../apimachinery/meta.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { isPodReady } from "../pod-status.ts";
import { groupPods, requestsOf, type PodMetrics } from "./pod-groups.ts";

/** How far use may be off its target, as a share of it, without a change of replicas. */
export interface Tolerances {
  up: number;
  down: number;
}

/** What a metric asks for. Throws an Error where it says nothing: its text goes into conditions and Events. */
export interface Proposal {
  replicas: number;
  /** What is used on average, or in all where the target is a value; in thousandths. */
  usage: bigint;
  /** In percent of what is requested. */
  utilization?: number;
}

interface Ratio {
  ratio: number;
  usage: bigint;
  utilization?: number;
}

const mostReplicas = 2 ** 31 - 1;
const replicasOf = (exact: number): number => Math.min(mostReplicas, Math.ceil(exact));
const isWithin = ({ up, down }: Tolerances, ratio: number): boolean => 1 - down <= ratio && ratio <= 1 + up;

export interface PodsCase {
  currentReplicas: number;
  pods: readonly Frozen<Pod>[];
  metrics: PodMetrics;
  tolerances: Tolerances;
  /** Such as `cpu`; empty for what isn't a resource. */
  resource: string;
  /** Milliseconds since the epoch. */
  now: number;
}

/** By the share of their requests that pods use; `target` in percent, `container` empty for all of a pod. */
export function replicasForUtilization(of: PodsCase, target: number, container: string): Proposal {
  let requests: ReadonlyMap<string, bigint>;
  return replicasForPods(of, {
    prepare: () => {
      requests = requestsOf(of.pods, of.resource, container);
    },
    ratio(metrics) {
      let used = 0n, requested = 0n, count = 0n;
      for (const [name, { value }] of metrics) {
        const request = requests.get(name);
        if (request === undefined) continue;
        used += value;
        requested += request;
        count++;
      }
      if (requested === 0n) throw new Error("no metrics returned matched known pods");
      const utilization = Number((used * 100n) / requested);
      return { ratio: utilization / target, usage: used / count, utilization };
    },
    // A pod without a metric is taken to use what it requests, or more where the target is beyond that.
    missingUse: (name) => (requests.get(name)! * BigInt(Math.max(100, target))) / 100n,
  });
}

/** By what pods use on average; `target` in thousandths. */
export const replicasForAverage = (of: PodsCase, target: bigint): Proposal => replicasForPods(of, {
  prepare: () => undefined,
  ratio(metrics) {
    const usage = [...metrics.values()].reduce((sum, { value }) => sum + value, 0n) / BigInt(metrics.size);
    return { ratio: Number(usage) / Number(target), usage };
  },
  missingUse: () => target,
});

interface Measure {
  prepare(): void;
  ratio(metrics: PodMetrics): Ratio;
  /** What a pod without a metric is taken to use when the others use little. */
  missingUse(name: string): bigint;
}

/**
 * The replicas with which use would meet its target. Pods that say nothing are assumed to speak against a change: a change whose direction
 * they would turn is none. Source: ReplicaCalculator of k8s.io/kubernetes/pkg/controller/podautoscaler.
 */
function replicasForPods({ currentReplicas, pods, metrics: given, tolerances, resource, now }: PodsCase, measure: Measure): Proposal {
  if (pods.length === 0) throw new Error("no pods returned by selector while calculating replica count");
  const { ready, unready, missing, ignored } = groupPods(pods, given, resource, now);
  const metrics: PodMetrics = new Map([...given].filter(([name]) => !ignored.has(name) && !unready.has(name)));
  if (metrics.size === 0) throw new Error("did not receive metrics for targeted pods (pods might be unready)");
  measure.prepare();
  const { ratio, ...known } = measure.ratio(metrics);
  const growsWithUnready = unready.size > 0 && ratio > 1;
  if (!growsWithUnready && missing.size === 0) return { ...known, replicas: isWithin(tolerances, ratio) ? currentReplicas : replicasOf(ratio * ready) };

  const assume = (name: string, value: bigint): void => void metrics.set(name, { value, timestamp: now, window: 0 });
  if (ratio !== 1) for (const name of missing) assume(name, ratio < 1 ? measure.missingUse(name) : 0n);
  if (growsWithUnready) for (const name of unready) assume(name, 0n);
  const { ratio: assumed } = measure.ratio(metrics);
  const stay = { ...known, replicas: currentReplicas };
  if (isWithin(tolerances, assumed) || (ratio < 1 && assumed > 1) || (ratio > 1 && assumed < 1)) return stay;
  const replicas = replicasOf(assumed * metrics.size);
  if ((assumed < 1 && replicas > currentReplicas) || (assumed > 1 && replicas < currentReplicas)) return stay;
  return { ...known, replicas };
}

/** By one value for all pods; `usage` and `target` in thousandths. Without replicas the ratio alone decides. */
export function replicasForValue({ currentReplicas, pods, tolerances }: Pick<PodsCase, "currentReplicas" | "pods" | "tolerances">, usage: bigint, target: bigint): Proposal {
  const ratio = Number(usage) / Number(target);
  if (currentReplicas === 0) return { usage, replicas: replicasOf(ratio) };
  if (isWithin(tolerances, ratio)) return { usage, replicas: currentReplicas };
  if (pods.length === 0) throw new Error("unable to calculate ready pods: no pods returned by selector while calculating replica count");
  const ready = pods.filter((pod) => pod.status?.phase === "Running" && isPodReady(pod)).length;
  return { usage, replicas: replicasOf(ratio * ready) };
}

const largest = 2n ** 63n - 1n;

/** By one value, divided among the replicas there are; `usage` and `target` in thousandths. The usage proposed is that of a replica. */
export function replicasForValuePerPod({ statusReplicas, tolerances }: { statusReplicas: number; tolerances: Tolerances }, usage: bigint, target: bigint): Proposal {
  const ratio = Number(usage) / (Number(target) * statusReplicas);
  const replicas = isWithin(tolerances, ratio) ? statusReplicas : replicasOf(Number(usage) / Number(target));
  return { replicas, usage: statusReplicas === 0 || usage >= largest ? largest : divideUp(usage, BigInt(statusReplicas)) };
}

const divideUp = (value: bigint, divisor: bigint): bigint => value / divisor + (value % divisor > 0n ? 1n : 0n);

/** Values of several series together, at most what Kubernetes' numbers hold. */
export const sumOf = (values: readonly bigint[]): bigint => {
  const sum = values.reduce((a, b) => a + b, 0n);
  return sum > largest ? largest : sum;
};
