import type { ScalarName } from "./decode.ts";

/** How a value of a configuration file is read: a Go scalar, a list, a struct by its fields, or a type of the API's schema. */
export type Shape = ScalarName | { readonly list: Shape } | { readonly fields: Readonly<Record<string, Shape>> } | { readonly schema: string } | "any";

const struct = (fields: Readonly<Record<string, Shape>>): Shape => ({ fields });
const list = (item: Shape): Shape => ({ list: item });

const plugin = struct({ name: "string", weight: "int32" });
const pluginSet = struct({ enabled: list(plugin), disabled: list(plugin) });

export const configurationShape: Shape = struct({
  apiVersion: "string", kind: "string", parallelism: "int32",
  leaderElection: struct({ leaderElect: "bool", leaseDuration: "duration", renewDeadline: "duration", retryPeriod: "duration", resourceLock: "string", resourceName: "string", resourceNamespace: "string" }),
  clientConnection: struct({ kubeconfig: "string", acceptContentTypes: "string", contentType: "string", qps: "float32", burst: "int32" }),
  enableProfiling: "bool", enableContentionProfiling: "bool", percentageOfNodesToScore: "int32", podInitialBackoffSeconds: "int64", podMaxBackoffSeconds: "int64",
  profiles: list(struct({
    schedulerName: "string", percentageOfNodesToScore: "int32",
    plugins: struct({
      preEnqueue: pluginSet, queueSort: pluginSet, preFilter: pluginSet, filter: pluginSet, postFilter: pluginSet, preScore: pluginSet, score: pluginSet, reserve: pluginSet,
      permit: pluginSet, preBind: pluginSet, bind: pluginSet, postBind: pluginSet, multiPoint: pluginSet, placementGenerate: pluginSet, placementScore: pluginSet,
    }),
    pluginConfig: list(struct({ name: "string", args: "any" })),
  })),
  extenders: list(struct({
    urlPrefix: "string", filterVerb: "string", preemptVerb: "string", prioritizeVerb: "string", weight: "int64", bindVerb: "string", enableHTTPS: "bool",
    tlsConfig: struct({ insecure: "bool", serverName: "string", certFile: "string", keyFile: "string", caFile: "string", certData: "string", keyData: "string", caData: "string" }),
    httpTimeout: "duration", nodeCacheCapable: "bool", managedResources: list(struct({ name: "string", ignoredByScheduler: "bool" })), ignorable: "bool",
  })),
  delayCacheUntilActive: "bool",
});

const points = list(struct({ utilization: "int32", score: "int32" }));
const resources = list(struct({ name: "string", weight: "int64" }));
const args = (fields: Readonly<Record<string, Shape>>): Shape => struct({ apiVersion: "string", kind: "string", ...fields });

/** Of the plugins that take arguments. Source: k8s.io/kube-scheduler/config/v1 (types_pluginargs.go). */
export const argsShapes: Readonly<Record<string, Shape>> = {
  DefaultPreemption: args({ minCandidateNodesPercentage: "int32", minCandidateNodesAbsolute: "int32" }),
  DynamicResources: args({ filterTimeout: "duration", bindingTimeout: "duration" }),
  InterPodAffinity: args({ hardPodAffinityWeight: "int32", ignorePreferredTermsOfExistingPods: "bool" }),
  NodeAffinity: args({ addedAffinity: { schema: "io.k8s.api.core.v1.NodeAffinity" } }),
  NodeResourcesBalancedAllocation: args({ resources }),
  NodeResourcesFit: args({ ignoredResources: list("string"), ignoredResourceGroups: list("string"), scoringStrategy: struct({ type: "string", resources, requestedToCapacityRatio: struct({ shape: points }) }) }),
  PodTopologySpread: args({ defaultConstraints: list({ schema: "io.k8s.api.core.v1.TopologySpreadConstraint" }), defaultingType: "string" }),
  VolumeBinding: args({ bindTimeoutSeconds: "int64", shape: points }),
};
