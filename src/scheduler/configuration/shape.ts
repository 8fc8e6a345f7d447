import type { ScalarName } from "./decode.ts";

/** How a value of a configuration file is read: a Go scalar, a list, a struct by its name and fields, or a type of the API's schema. */
export type Shape = ScalarName | { readonly list: Shape } | { readonly struct: string; readonly fields: Readonly<Record<string, Shape>> } | { readonly schema: string } | "any";

const struct = (name: string, fields: Readonly<Record<string, Shape>>): Shape => ({ struct: name, fields });
const list = (item: Shape): Shape => ({ list: item });

const plugin = struct("Plugin", { name: "string", weight: "int32" });
const pluginSet = struct("PluginSet", { enabled: list(plugin), disabled: list(plugin) });

export const configurationShape: Shape = struct("KubeSchedulerConfiguration", {
  apiVersion: "string", kind: "string", parallelism: "int32",
  leaderElection: struct("LeaderElectionConfiguration", { leaderElect: "bool", leaseDuration: "duration", renewDeadline: "duration", retryPeriod: "duration", resourceLock: "string", resourceName: "string", resourceNamespace: "string" }),
  clientConnection: struct("ClientConnectionConfiguration", { kubeconfig: "string", acceptContentTypes: "string", contentType: "string", qps: "float32", burst: "int32" }),
  enableProfiling: "bool", enableContentionProfiling: "bool", percentageOfNodesToScore: "int32", podInitialBackoffSeconds: "int64", podMaxBackoffSeconds: "int64",
  profiles: list(struct("KubeSchedulerProfile", {
    schedulerName: "string", percentageOfNodesToScore: "int32",
    plugins: struct("Plugins", {
      preEnqueue: pluginSet, queueSort: pluginSet, preFilter: pluginSet, filter: pluginSet, postFilter: pluginSet, preScore: pluginSet, score: pluginSet, reserve: pluginSet,
      permit: pluginSet, preBind: pluginSet, bind: pluginSet, postBind: pluginSet, multiPoint: pluginSet, placementGenerate: pluginSet, placementScore: pluginSet,
    }),
    pluginConfig: list(struct("PluginConfig", { name: "string", args: "any" })),
  })),
  extenders: list(struct("Extender", {
    urlPrefix: "string", filterVerb: "string", preemptVerb: "string", prioritizeVerb: "string", weight: "int64", bindVerb: "string", enableHTTPS: "bool",
    tlsConfig: struct("ExtenderTLSConfig", { insecure: "bool", serverName: "string", certFile: "string", keyFile: "string", caFile: "string", certData: "string", keyData: "string", caData: "string" }),
    httpTimeout: "duration", nodeCacheCapable: "bool", managedResources: list(struct("ExtenderManagedResource", { name: "string", ignoredByScheduler: "bool" })), ignorable: "bool",
  })),
  delayCacheUntilActive: "bool",
});

const points = list(struct("UtilizationShapePoint", { utilization: "int32", score: "int32" }));
const resources = list(struct("ResourceSpec", { name: "string", weight: "int64" }));
const args = (name: string, fields: Readonly<Record<string, Shape>>): Shape => struct(`${name}Args`, { apiVersion: "string", kind: "string", ...fields });

/** Of the plugins that take arguments. Source: k8s.io/kube-scheduler/config/v1 (types_pluginargs.go). */
export const argsShapes: Readonly<Record<string, Shape>> = {
  DefaultPreemption: args("DefaultPreemption", { minCandidateNodesPercentage: "int32", minCandidateNodesAbsolute: "int32" }),
  DynamicResources: args("DynamicResources", { filterTimeout: "duration", bindingTimeout: "duration" }),
  InterPodAffinity: args("InterPodAffinity", { hardPodAffinityWeight: "int32", ignorePreferredTermsOfExistingPods: "bool" }),
  NodeAffinity: args("NodeAffinity", { addedAffinity: { schema: "io.k8s.api.core.v1.NodeAffinity" } }),
  NodeResourcesBalancedAllocation: args("NodeResourcesBalancedAllocation", { resources }),
  NodeResourcesFit: args("NodeResourcesFit", { ignoredResources: list("string"), ignoredResourceGroups: list("string"), scoringStrategy: struct("ScoringStrategy", { type: "string", resources, requestedToCapacityRatio: struct("RequestedToCapacityRatioParam", { shape: points }) }) }),
  PodTopologySpread: args("PodTopologySpread", { defaultConstraints: list({ schema: "io.k8s.api.core.v1.TopologySpreadConstraint" }), defaultingType: "string" }),
  VolumeBinding: args("VolumeBinding", { bindTimeoutSeconds: "int64", shape: points }),
};
