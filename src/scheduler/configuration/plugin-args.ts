import type { NodeAffinity, TopologySpreadConstraint } from "../../apis/generated/core/v1.ts";

/** Arguments of plugins with their defaults applied. Source: k8s.io/kube-scheduler/config/v1 and kubernetes pkg/scheduler/apis/config/v1/defaults.go. */

export interface ResourceSpec { name: string; weight: number }
/** `utilization` from 0 to 100, `score` from 0 to 10. */
export interface UtilizationShapePoint { utilization: number; score: number }

export interface DefaultPreemptionArgs {
  minCandidateNodesPercentage: number;
  minCandidateNodesAbsolute: number;
}

export interface InterPodAffinityArgs {
  hardPodAffinityWeight: number;
  ignorePreferredTermsOfExistingPods: boolean;
}

export interface NodeAffinityArgs {
  addedAffinity?: NodeAffinity;
}

export interface NodeResourcesBalancedAllocationArgs {
  resources: readonly ResourceSpec[];
}

export interface ScoringStrategy {
  type: string;
  resources: readonly ResourceSpec[];
  requestedToCapacityRatio?: { shape?: readonly UtilizationShapePoint[] };
}

export interface NodeResourcesFitArgs {
  ignoredResources: readonly string[];
  ignoredResourceGroups: readonly string[];
  scoringStrategy: ScoringStrategy;
}

export interface PodTopologySpreadArgs {
  defaultConstraints: readonly TopologySpreadConstraint[];
  defaultingType: string;
}

export interface VolumeBindingArgs {
  bindTimeoutSeconds: number;
}

const cpuAndMemory = (): ResourceSpec[] => [{ name: "cpu", weight: 1 }, { name: "memory", weight: 1 }];
type Given<T> = { [K in keyof T]?: T[K] };
type GivenResources = readonly { name?: string; weight?: number }[];

function resourcesOr(resources: GivenResources = []): ResourceSpec[] {
  return resources.length === 0 ? cpuAndMemory() : resources.map(({ name = "", weight }) => ({ name, weight: weight || 1 }));
}

export const defaultPreemptionArgs = (given: Given<DefaultPreemptionArgs> = {}): DefaultPreemptionArgs => ({ minCandidateNodesPercentage: 10, minCandidateNodesAbsolute: 100, ...given });
export const interPodAffinityArgs = (given: Given<InterPodAffinityArgs> = {}): InterPodAffinityArgs => ({ hardPodAffinityWeight: 1, ignorePreferredTermsOfExistingPods: false, ...given });
export const nodeAffinityArgs = (given: NodeAffinityArgs = {}): NodeAffinityArgs => given;
export const nodeResourcesBalancedAllocationArgs = ({ resources }: { resources?: GivenResources } = {}): NodeResourcesBalancedAllocationArgs => ({ resources: resourcesOr(resources) });
export const podTopologySpreadArgs = (given: Given<PodTopologySpreadArgs> = {}): PodTopologySpreadArgs => ({ defaultConstraints: [], ...given, defaultingType: given.defaultingType || "System" });
export const volumeBindingArgs = (given: Given<VolumeBindingArgs> = {}): VolumeBindingArgs => ({ bindTimeoutSeconds: 600, ...given });

export function nodeResourcesFitArgs({ scoringStrategy, ...given }: Omit<Given<NodeResourcesFitArgs>, "scoringStrategy"> & { scoringStrategy?: Given<ScoringStrategy> } = {}): NodeResourcesFitArgs {
  const strategy = scoringStrategy ? { ...scoringStrategy, type: scoringStrategy.type ?? "" } : { type: "LeastAllocated" };
  return { ignoredResources: [], ignoredResourceGroups: [], ...given, scoringStrategy: { ...strategy, resources: resourcesOr(scoringStrategy?.resources) } };
}

/** Applies the defaults to what the file gives a plugin; those without arguments of their own keep what they are given. */
export const withDefaults: Readonly<Record<string, (given: any) => unknown>> = {
  DefaultPreemption: defaultPreemptionArgs,
  InterPodAffinity: interPodAffinityArgs,
  NodeAffinity: nodeAffinityArgs,
  NodeResourcesBalancedAllocation: nodeResourcesBalancedAllocationArgs,
  NodeResourcesFit: nodeResourcesFitArgs,
  PodTopologySpread: podTopologySpreadArgs,
  VolumeBinding: volumeBindingArgs,
};
