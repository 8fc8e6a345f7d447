import type { ResourceSpec, ScoringStrategy, UtilizationShapePoint } from "../configuration/plugin-args.ts";
import { maxNodeScore } from "../framework.ts";
import type { NodeInfo } from "../node-info.ts";
import type { PodInfo } from "../pod-info.ts";
import { nonZeroDefaults, podRequests } from "../resources.ts";

/** What the pod asks of each of the resources, in their order. */
export type RequestList = readonly number[];

/** Counted in units, and left out of the scores of pods that ask for none. Source: kubernetes pkg/scheduler/util (IsScalarResourceName). */
export const isScalar = (name: string): boolean => name.includes("/") || name.startsWith("hugepages-") || name.startsWith("attachable-volumes-");

/**
 * As they count in NodeResourcesFit's scores: cpu and memory of containers that ask for none count a little, and what is asked for the pod as a
 * whole doesn't count (upstream leaves enablePodLevelResources of its scorer unset).
 */
export function nonZeroRequestList({ pod, requests, nonZero }: PodInfo, resources: readonly ResourceSpec[]): RequestList {
  if (!pod.spec.resources) return resources.map(({ name }) => nonZero.get(name) ?? requests.get(name) ?? 0);
  const ofContainers = podRequests({ ...pod, spec: { ...pod.spec, resources: undefined } }, nonZeroDefaults);
  return resources.map(({ name }) => ofContainers.get(name) ?? 0);
}
export const requestList = ({ requests }: PodInfo, resources: readonly ResourceSpec[]): RequestList => resources.map(({ name }) => requests.get(name) ?? 0);

/** The score of a node for one strategy, from 0 to 100. Amounts are whole numbers and divided as such. */
export type NodeScorer = (node: NodeInfo, requests: RequestList) => number;

/** Source: kubernetes plugins/noderesources (least_allocated.go, most_allocated.go, requested_to_capacity_ratio.go). The arguments have been validated. */
export function nodeScorer({ type, resources, requestedToCapacityRatio }: ScoringStrategy): NodeScorer {
  if (type === "MostAllocated") return weightedMean(resources, (used, capacity) => Math.floor((Math.min(used, capacity) * maxNodeScore) / capacity));
  if (type === "RequestedToCapacityRatio") return ratioScorer(resources, requestedToCapacityRatio?.shape ?? []);
  return weightedMean(resources, (used, capacity) => (used > capacity ? 0 : Math.floor(((capacity - used) * maxNodeScore) / capacity)));
}

type ResourceScorer = (used: number, capacity: number) => number;

function ratioScorer(resources: readonly ResourceSpec[], shape: readonly Partial<UtilizationShapePoint>[]): NodeScorer {
  const score = brokenLinear(shape.map(({ utilization = 0, score: ofTen = 0 }) => ({ utilization, score: ofTen * (maxNodeScore / 10) })));
  return weightedMean(resources, (used, capacity) => score(used > capacity ? 100 : Math.floor((used * 100) / capacity)), { ratio: true });
}

/** `ratio`: resources with no score don't count, and the mean is rounded rather than cut off. */
function weightedMean(resources: readonly ResourceSpec[], score: ResourceScorer, { ratio = false } = {}): NodeScorer {
  const scalar = resources.map(({ name }) => isScalar(name));
  return (node, requests) => {
    let sum = 0, weights = 0;
    for (let i = 0; i < resources.length; i++) {
      const { name, weight } = resources[i]!;
      const wanted = requests[i]!;
      if (wanted === 0 && scalar[i]) continue;
      const capacity = node.allocatable.get(name) ?? 0;
      if (capacity === 0) continue;
      const points = score((node.nonZero.get(name) ?? node.requested.get(name) ?? 0) + wanted, capacity);
      if (ratio && points <= 0) continue;
      sum += points * weight;
      weights += weight;
    }
    if (weights === 0) return 0;
    return ratio ? Math.round(sum / weights) : Math.floor(sum / weights);
  };
}

/** Straight lines between the points, level outside of them. */
function brokenLinear(points: readonly UtilizationShapePoint[]): (utilization: number) => number {
  return (utilization) => {
    const next = points.findIndex((point) => utilization <= point.utilization);
    if (next < 0) return points.at(-1)?.score ?? 0;
    const to = points[next]!, from = points[next - 1];
    return from ? from.score + Math.trunc(((to.score - from.score) * (utilization - from.utilization)) / (to.utilization - from.utilization)) : to.score;
  };
}
