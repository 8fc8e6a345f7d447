import type { ExtensionPoint } from "../framework.ts";

const both = ["preFilter", "filter"] as const;
const scored = [...both, "preScore", "score"] as const;

/** What each plugin has something to do at, as in kube-scheduler: enabling it elsewhere is a mistake. */
export const pointsOf: Readonly<Record<string, readonly ExtensionPoint[]>> = {
  SchedulingGates: ["preEnqueue"],
  PrioritySort: ["queueSort"],
  NodeUnschedulable: ["filter"],
  NodeName: ["filter"],
  TaintToleration: ["filter", "preScore", "score"],
  NodeAffinity: scored,
  NodePorts: both,
  NodeResourcesFit: scored,
  VolumeRestrictions: both,
  NodeVolumeLimits: both,
  VolumeBinding: [...scored, "reserve", "preBind"],
  VolumeZone: both,
  PodTopologySpread: scored,
  InterPodAffinity: scored,
  DynamicResources: ["preEnqueue", ...both, "postFilter", "preScore", "score", "reserve", "preBind"],
  DefaultPreemption: ["preEnqueue", "postFilter"],
  NodeResourcesBalancedAllocation: ["preScore", "score"],
  ImageLocality: ["score"],
  DefaultBinder: ["bind"],
  NodeDeclaredFeatures: both,
};

/** The type that a plugin of the point has upstream, as errors name it. */
export const typeNameOf = (point: ExtensionPoint): string => `${point[0]!.toUpperCase()}${point.slice(1)}Plugin`;
