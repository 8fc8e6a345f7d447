import { describe, expect, test } from "bun:test";
import { extensionPoints, type Handle, type ProfileConfiguration } from "../framework.ts";
import { defaultPlugins, pluginRegistry } from "../plugins/index.ts";
import { parseSchedulerConfiguration } from "./parse.ts";
import { pointsOf } from "./plugin-points.ts";

const header = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";
const parse = (yaml: string) => parseSchedulerConfiguration(header + yaml);
const profile = (yaml: string): ProfileConfiguration => parse(yaml).configuration.profiles[0]!;

function mistake(yaml: string): string {
  try {
    parse(yaml);
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

const names = (plugins: readonly { name: string }[]): string[] => plugins.map(({ name }) => name);
const weights = (plugins: readonly { name: string; weight?: number }[]): Record<string, number | undefined> => Object.fromEntries(plugins.map(({ name, weight }) => [name, weight]));

describe("an empty configuration", () => {
  const { profiles, ...rest } = parse("").configuration;
  test("has one profile with kube-scheduler's defaults", () => {
    expect(rest).toEqual({ extenders: [], percentageOfNodesToScore: undefined, podInitialBackoffSeconds: undefined, podMaxBackoffSeconds: undefined });
    expect(profiles.map(({ schedulerName }) => schedulerName)).toEqual(["default-scheduler"]);
    expect(weights(profiles[0]!.plugins.score)).toMatchObject({ TaintToleration: 3, NodeAffinity: 2, NodeResourcesFit: 1, PodTopologySpread: 2, InterPodAffinity: 2, NodeResourcesBalancedAllocation: 1, ImageLocality: 1 });
    expect(names(profiles[0]!.plugins.queueSort)).toEqual(["PrioritySort"]);
    expect(names(profiles[0]!.plugins.bind)).toEqual(["DefaultBinder"]);
  });
  test("gives plugins their default arguments", () => {
    expect(profiles[0]!.pluginArgs).toMatchObject({
      DefaultPreemption: { minCandidateNodesPercentage: 10, minCandidateNodesAbsolute: 100 },
      InterPodAffinity: { hardPodAffinityWeight: 1, ignorePreferredTermsOfExistingPods: false },
      NodeResourcesFit: { ignoredResources: [], ignoredResourceGroups: [], scoringStrategy: { type: "LeastAllocated", resources: [{ name: "cpu", weight: 1 }, { name: "memory", weight: 1 }] } },
      PodTopologySpread: { defaultConstraints: [], defaultingType: "System" },
      VolumeBinding: { bindTimeoutSeconds: 600 },
    });
  });
});

describe("the table of points", () => {
  test("knows every plugin, and says what plugins do", () => {
    expect(names(defaultPlugins).filter((name) => !Object.hasOwn(pointsOf, name))).toEqual([]);
    expect(Object.keys(pluginRegistry).filter((name) => !Object.hasOwn(pointsOf, name))).toEqual([]);
    const handle = { lister: () => ({}), snapshot: {} } as unknown as Handle;
    for (const [name, factory] of Object.entries(pluginRegistry)) {
      // Devices aren't allocated, and the others ask for more of the handle.
      if (["DynamicResources", "DefaultPreemption", "NodeVolumeLimits"].includes(name) || name.startsWith("Volume")) continue;
      const plugin = factory(undefined, handle);
      expect([name, extensionPoints.filter((point) => plugin[point] !== undefined && !pointsOf[name]!.includes(point) && point !== "preScore")]).toEqual([name, []]);
      // NodeResourcesFit finds the requests in every PodInfo.
      expect([name, pointsOf[name]!.filter((point) => plugin[point] === undefined && point !== "preScore" && !(name === "NodeResourcesFit" && point === "preFilter"))]).toEqual([name, []]);
    }
  });
});

describe("plugins of a profile", () => {
  const score = (yaml: string) => profile(`profiles:\n- plugins:\n${yaml}`).plugins.score;
  test("are disabled one by one, or all", () => {
    expect(names(score("    score: {disabled: [{name: ImageLocality}]}"))).not.toContain("ImageLocality");
    const { plugins } = profile("profiles:\n- plugins:\n    multiPoint: {disabled: [{name: '*'}], enabled: [{name: PrioritySort}, {name: DefaultBinder}, {name: NodeResourcesFit, weight: 7}]}");
    expect(names(plugins.filter)).toEqual(["NodeResourcesFit"]);
    expect(plugins.score).toEqual([{ name: "NodeResourcesFit", weight: 7 }]);
    expect(names(profile("profiles:\n- plugins:\n    filter: {disabled: [{name: '*'}]}").plugins.filter)).toEqual([]);
  });
  test("are weighted anew in their place, and those of a point go first", () => {
    expect(weights(score("    multiPoint: {enabled: [{name: ImageLocality, weight: 9}]}"))).toMatchObject({ ImageLocality: 9, TaintToleration: 3 });
    expect(names(score("    multiPoint: {enabled: [{name: ImageLocality, weight: 9}]}"))).toEqual(names(score("    multiPoint: {}")));
    expect(score("    score: {enabled: [{name: ImageLocality, weight: 5}]}")[0]).toEqual({ name: "ImageLocality", weight: 5 });
    // A weight that isn't given again is 1, not the default's.
    expect(weights(score("    multiPoint: {enabled: [{name: TaintToleration}]}"))).toMatchObject({ TaintToleration: 1 });
  });
  test("a point's weight wins over that of all points", () => {
    expect(weights(score("    multiPoint: {enabled: [{name: NodeAffinity, weight: 4}]}\n    score: {enabled: [{name: NodeAffinity, weight: 6}]}"))).toMatchObject({ NodeAffinity: 6 });
  });
  const mistakes: [yaml: string, message: string][] = [
    ["score: {enabled: [{name: Nobody}]}", 'ScorePlugin "Nobody" does not exist'],
    ["multiPoint: {enabled: [{name: Nobody}]}", 'PreFilterPlugin "Nobody" does not exist'],
    ["score: {enabled: [{name: NodeName}]}", 'plugin "NodeName" does not extend ScorePlugin plugin'],
    ["score: {enabled: [{name: NodeAffinity}, {name: NodeAffinity}]}", 'plugin "NodeAffinity" already registered as "ScorePlugin"'],
    ["queueSort: {disabled: [{name: '*'}]}", 'only one queue sort plugin required for profile with scheduler name "default-scheduler", but got 0'],
    ["bind: {disabled: [{name: DefaultBinder}]}", 'at least one bind plugin is needed for profile with scheduler name "default-scheduler"'],
  ];
  test.each(mistakes)("%s", (yaml, message) => {
    expect(mistake(`profiles:\n- plugins:\n    ${yaml}`)).toBe(`initializing profiles: creating profile for scheduler name default-scheduler: ${message}`);
  });
});

describe("arguments of plugins", () => {
  const args = (name: string, yaml: string) => profile(`profiles:\n- pluginConfig:\n  - name: ${name}\n    args: ${yaml}`).pluginArgs[name];
  test("get defaults where they leave something open", () => {
    expect(args("NodeResourcesFit", "{scoringStrategy: {type: MostAllocated, resources: [{name: example.com/gpu}]}}")).toEqual({
      ignoredResources: [], ignoredResourceGroups: [], scoringStrategy: { type: "MostAllocated", resources: [{ name: "example.com/gpu", weight: 1 }] },
    });
    expect(args("InterPodAffinity", "{apiVersion: kubescheduler.config.k8s.io/v1, kind: InterPodAffinityArgs, hardPodAffinityWeight: 0}")).toEqual({ hardPodAffinityWeight: 0, ignorePreferredTermsOfExistingPods: false });
    expect(args("NodeAffinity", "{addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: pool, operator: In, values: [a]}]}]}}}")).toMatchObject({ addedAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{}] } } });
  });
  const at = "profiles[0].pluginConfig[0].args";
  const mistakes: [name: string, yaml: string, message: string][] = [
    ["InterPodAffinity", "{hardPodAffinityWeight: 101}", `${at}.hardPodAffinityWeight: Invalid value: 101: not in valid range [0, 100]`],
    ["NodeResourcesFit", "{scoringStrategy: {type: Best}}", `${at}.scoringStrategy.type: Unsupported value: "Best": supported values: "LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"`],
    ["NodeResourcesFit", "{scoringStrategy: {type: RequestedToCapacityRatio}}", `${at}.scoringStrategy.requestedToCapacityRatio: Required value: must be specified when type is RequestedToCapacityRatio`],
    ["NodeResourcesFit", "{scoringStrategy: {type: RequestedToCapacityRatio, requestedToCapacityRatio: {shape: [{utilization: 50, score: 0}, {utilization: 40, score: 10}]}}}", `${at}.scoringStrategy.requestedToCapacityRatio.shape[1].utilization: Invalid value: 40: values must be sorted in increasing order`],
    ["NodeResourcesFit", "{ignoredResourceGroups: [a/b]}", `${at}.ignoredResourceGroups[0]: Invalid value: "a/b": resource group name can't contain '/'`],
    ["NodeResourcesBalancedAllocation", "{resources: [{name: cpu, weight: 2}]}", `${at}.resources[0].weight: Invalid value: 2: must be 1`],
    ["PodTopologySpread", "{defaultConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]}", `${at}.defaultingType: Invalid value: "System": when .defaultConstraints are not empty`],
    ["PodTopologySpread", "{defaultingType: List, defaultConstraints: [{maxSkew: 0, topologyKey: zone, whenUnsatisfiable: Never}]}", `[${at}.defaultConstraints[0].maxSkew: Invalid value: 0: not in valid range (0, inf), ${at}.defaultConstraints[0].whenUnsatisfiable: Unsupported value: "Never": supported values: "DoNotSchedule", "ScheduleAnyway"]`],
    ["DefaultPreemption", "{minCandidateNodesPercentage: -1}", `${at}.minCandidateNodesPercentage: Invalid value: -1: not in valid range [0, 100]`],
    ["VolumeBinding", "{bindTimeoutSeconds: -1}", `${at}.bindTimeoutSeconds: Invalid value: -1: invalid BindTimeoutSeconds, should not be a negative value`],
    ["NodeAffinity", "{addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: pool, operator: Near}]}]}}}", `${at}.addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].operator: Unsupported value: "Near": supported values: "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"`],
    ["InterPodAffinity", "{hardPodAffinityWeight: much}", "decoding .profiles[0].pluginConfig[0]: decoding args for plugin InterPodAffinity: json: cannot unmarshal string into Go struct field InterPodAffinityArgs.hardPodAffinityWeight of type int32"],
    ["InterPodAffinity", "{weight: 1}", 'strict decoding error: decoding .profiles[0].pluginConfig[0]: strict decoding error: decoding args for plugin InterPodAffinity: strict decoding error: unknown field "weight"'],
    ["NodeAffinity", "{kind: InterPodAffinityArgs}", "decoding .profiles[0].pluginConfig[0]: args for plugin NodeAffinity were not of type NodeAffinityArgs.kubescheduler.config.k8s.io, got InterPodAffinityArgs.kubescheduler.config.k8s.io"],
  ];
  test.each(mistakes)("%s %s", (name, yaml, message) => expect(mistake(`profiles:\n- pluginConfig:\n  - name: ${name}\n    args: ${yaml}`)).toBe(message));
});

describe("a file", () => {
  const mistakes: [yaml: string, message: string][] = [
    ["parallelism: many", "json: cannot unmarshal string into Go struct field KubeSchedulerConfiguration.parallelism of type int32"],
    ["profiles: x", "json: cannot unmarshal string into Go struct field KubeSchedulerConfiguration.profiles of type []v1.KubeSchedulerProfile"],
    ["profiles: [{plugins: {score: {enabled: [{name: 1}]}}}]", "json: cannot unmarshal number into Go struct field Plugin.profiles.plugins.score.enabled.name of type string"],
    ["parallelism: 0", "parallelism: Invalid value: 0: should be an integer value greater than zero"],
    ["percentageOfNodesToScore: 101", "percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]"],
    ["podInitialBackoffSeconds: 0", "podInitialBackoffSeconds: Invalid value: 0: must be greater than 0"],
    ["podInitialBackoffSeconds: 20", "podMaxBackoffSeconds: Invalid value: 10: must be greater than or equal to PodInitialBackoffSeconds"],
    ["profile: []", 'strict decoding error: unknown field "profile"'],
    ["profiles: [{name: x}]", 'strict decoding error: unknown field "profiles[0].name"'],
    ["profiles: [{schedulerName: a}, {}]", "profiles[1].schedulerName: Required value"],
    ["profiles: [{schedulerName: a}, {schedulerName: a}]", 'profiles[1].schedulerName: Duplicate value: "profiles[0].schedulerName"'],
    ["profiles: [{pluginConfig: [{name: NodeAffinity}, {name: NodeAffinity}]}]", 'profiles[0].pluginConfig[1]: Duplicate value: "NodeAffinity"'],
    ["leaderElection: {leaderElect: true, resourceLock: endpoints}", 'leaderElection.resourceLock: Invalid value: "endpoints": resourceLock value must be "leases"'],
    ["extenders: [{prioritizeVerb: score}]", "extenders[0].weight: Invalid value: 0: must have a positive weight applied to it"],
    ["extenders: [{bindVerb: a}, {bindVerb: b}]", 'extenders: Invalid value: "found 2 extenders implementing bind": only one extender can implement bind'],
    ["extenders: [{managedResources: [{name: cpu}]}]", 'extenders[0].managedResources[0].name: Invalid value: "cpu": is an invalid extended resource name'],
    ["extenders: [{managedResources: [{name: a.b/c}]}, {managedResources: [{name: a.b/c}]}]", 'extenders[1].managedResources[0].name: Invalid value: "a.b/c": duplicate extender managed resource name'],
    ["extenders: [{httpTimeout: 5}]", "json: cannot unmarshal number into Go struct field Extender.extenders.httpTimeout of type string"],
    ["extenders: [{url: x}]", 'strict decoding error: unknown field "extenders[0].url"'],
    ["extenders: [{tlsConfig: {caFile: /nowhere/ca.crt}}]", "couldn't build extenders: ENOENT: no such file or directory, open '/nowhere/ca.crt'"],
    ["extenders: [{tlsConfig: {insecure: true, caData: eA==}}]", "couldn't build extenders: specifying a root certificates file with the insecure flag is not allowed"],
  ];
  test.each(mistakes)("%s", (yaml, message) => expect(mistake(yaml)).toBe(message));
  test("is of the kind and version that is known", () => {
    const other = (text: string) => () => parseSchedulerConfiguration(text);
    expect(other("")).toThrow("Object 'Kind' is missing");
    expect(other("kind: KubeSchedulerConfiguration")).toThrow("Object 'apiVersion' is missing");
    expect(other(header.replace("v1\n", "v1beta3\n"))).toThrow('no kind "KubeSchedulerConfiguration" is registered for version "kubescheduler.config.k8s.io/v1beta3"');
    expect(other(`${header}parallelism: 1\nparallelism: 2`)).toThrow(/^strict decoding error: yaml: unmarshal errors: line \d: key "parallelism" already set in map$/);
    expect(other(`${header}  x: [`)).toThrow();
  });
  test("says how extenders are reached, and which resources the scheduler leaves to them", () => {
    const { extenders, profiles } = parse(`
profiles: [{schedulerName: a}, {schedulerName: b, pluginConfig: [{name: NodeResourcesFit, args: {ignoredResources: [example.com/other]}}]}]
extenders:
- {urlPrefix: "https://a/", filterVerb: filter, enableHTTPS: true, managedResources: [{name: example.com/gpu, ignoredByScheduler: true}, {name: example.com/fpga}]}
- {urlPrefix: "https://b", prioritizeVerb: score, weight: 2, enableHTTPS: true, httpTimeout: 1m30s, ignorable: true, nodeCacheCapable: true, tlsConfig: {caData: Y2E=, certData: Y2VydA==, keyData: a2V5, serverName: b.example}}`).configuration;
    const rest = { prioritizeVerb: "", preemptVerb: "", bindVerb: "", weight: 0, nodeCacheCapable: false, ignorable: false };
    expect(extenders).toEqual([
      { ...rest, urlPrefix: "https://a/", filterVerb: "filter", httpTimeout: 5000, tls: { insecure: true }, managedResources: ["example.com/gpu", "example.com/fpga"] },
      { ...rest, urlPrefix: "https://b", filterVerb: "", prioritizeVerb: "score", weight: 2, httpTimeout: 90_000, tls: { insecure: false, ca: "ca", cert: "cert", key: "key", serverName: "b.example" }, managedResources: [], ignorable: true, nodeCacheCapable: true },
    ]);
    expect(profiles.map(({ pluginArgs }) => (pluginArgs["NodeResourcesFit"] as { ignoredResources: string[] }).ignoredResources)).toEqual([["example.com/gpu"], ["example.com/gpu"]]);
  });
  test("may set what has no effect, with a warning", () => {
    expect(parse("leaderElection: {leaderElect: false}\nclientConnection: {qps: 50}\nparallelism: 4").warnings.map((text) => text.split(" ")[0])).toEqual(["leaderElection", "clientConnection", "parallelism"]);
    expect(parse("podMaxBackoffSeconds: 30\npercentageOfNodesToScore: 50").configuration).toMatchObject({ podMaxBackoffSeconds: 30, percentageOfNodesToScore: 50 });
  });
});
