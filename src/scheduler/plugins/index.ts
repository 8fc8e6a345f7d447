import { extensionPoints, type AnyPlugin, type PluginFactory, type ProfileConfiguration } from "../framework.ts";
import { defaultBinder } from "./default-binder.ts";
import { defaultPreemption } from "./default-preemption.ts";
import { dynamicResources } from "./dynamic-resources.ts";
import { imageLocality } from "./image-locality.ts";
import { interPodAffinity } from "./inter-pod-affinity.ts";
import { nodeAffinity } from "./node-affinity.ts";
import { nodeDeclaredFeatures } from "./node-declared-features.ts";
import { nodeName } from "./node-name.ts";
import { nodePorts } from "./node-ports.ts";
import { balancedAllocation } from "./node-resources-balanced-allocation.ts";
import { nodeResourcesFit } from "./node-resources-fit.ts";
import { nodeUnschedulable } from "./node-unschedulable.ts";
import { nodeVolumeLimits } from "./node-volume-limits.ts";
import { podTopologySpread } from "./pod-topology-spread.ts";
import { prioritySort } from "./priority-sort.ts";
import { schedulingGates } from "./scheduling-gates.ts";
import { taintToleration } from "./taint-toleration.ts";
import { volumeBinding } from "./volume-binding/volume-binding.ts";
import { volumeRestrictions } from "./volume-restrictions.ts";
import { volumeZone } from "./volume-zone.ts";

/** One that needs neither arguments nor a handle. */
const always = (plugin: AnyPlugin): PluginFactory => () => plugin;

/** All plugins there are, by name. */
export const pluginRegistry: Readonly<Record<string, PluginFactory>> = {
  SchedulingGates: always(schedulingGates),
  PrioritySort: always(prioritySort),
  NodeUnschedulable: always(nodeUnschedulable),
  NodeName: always(nodeName),
  TaintToleration: always(taintToleration),
  NodeAffinity: nodeAffinity,
  NodePorts: always(nodePorts),
  NodeResourcesFit: nodeResourcesFit,
  VolumeRestrictions: volumeRestrictions,
  NodeVolumeLimits: nodeVolumeLimits,
  VolumeBinding: volumeBinding,
  VolumeZone: volumeZone,
  PodTopologySpread: podTopologySpread,
  InterPodAffinity: interPodAffinity,
  NodeResourcesBalancedAllocation: balancedAllocation,
  DynamicResources: always(dynamicResources),
  DefaultPreemption: defaultPreemption,
  ImageLocality: imageLocality,
  DefaultBinder: defaultBinder,
  NodeDeclaredFeatures: always(nodeDeclaredFeatures),
};

/** What every profile enables at all points (multiPoint), in kube-scheduler's order, which decides whose reason a node is rejected with. */
export const defaultPlugins: readonly { name: string; weight?: number }[] = [
  { name: "SchedulingGates" },
  { name: "PrioritySort" },
  { name: "NodeUnschedulable" },
  { name: "NodeName" },
  { name: "TaintToleration", weight: 3 },
  { name: "NodeAffinity", weight: 2 },
  { name: "NodePorts" },
  { name: "NodeResourcesFit", weight: 1 },
  { name: "VolumeRestrictions" },
  { name: "NodeVolumeLimits" },
  { name: "VolumeBinding" },
  { name: "VolumeZone" },
  { name: "PodTopologySpread", weight: 2 },
  { name: "InterPodAffinity", weight: 2 },
  { name: "DynamicResources", weight: 2 },
  { name: "DefaultPreemption" },
  { name: "NodeResourcesBalancedAllocation", weight: 1 },
  { name: "ImageLocality", weight: 1 },
  { name: "DefaultBinder" },
  { name: "NodeDeclaredFeatures" },
];

/** A profile without configuration. */
export const defaultProfile = (schedulerName = "default-scheduler"): ProfileConfiguration => ({
  schedulerName,
  plugins: Object.fromEntries(extensionPoints.map((point) => [point, defaultPlugins])) as unknown as ProfileConfiguration["plugins"],
  pluginArgs: {},
});
