import { describe, expect, test } from "bun:test";
import { conflict } from "../../../apimachinery/status.ts";
import type { KubeObject } from "../../../apimachinery/meta.ts";
import { configmaps, pods, secrets, services } from "../../../apis/builtins.ts";
import type { Pod, ResourceQuota, ResourceQuotaSpec, Service } from "../../../apis/generated/core/v1.ts";
import { attributesOf, listersOf, run } from "../../testing/admission.ts";
import { resourceQuota } from "./resource-quota.ts";

const quota = (hard: Record<string, string>, used: Record<string, string> = {}, spec: ResourceQuotaSpec = {}): ResourceQuota => ({
  metadata: { name: "q", namespace: "ns" }, spec: { hard, ...spec },
  status: { hard, used: { ...Object.fromEntries(Object.keys(hard).map((name) => [name, "0"])), ...used } },
});
const pod = (resources: object = {}, spec: object = {}): Pod => ({ metadata: { name: "p", namespace: "ns" }, spec: { containers: [{ name: "c", resources }], ...spec } as Pod["spec"] });
const service = (spec: object): Service => ({ metadata: { name: "s", namespace: "ns" }, spec: { ports: [{ port: 1 }, { port: 2 }], ...spec } as Service["spec"] });
const object = (name: string): KubeObject => ({ metadata: { name, namespace: "ns" } });

/** A quota as the API keeps it: an update based on an old revision conflicts. */
function server(...initial: ResourceQuota[]) {
  const stored: ResourceQuota[] = initial.map((each) => ({ ...each, metadata: { ...each.metadata, resourceVersion: "1" } }));
  let conflicts = 0;
  const plugin = resourceQuota({
    listers: listersOf({ get resourcequotas() { return stored; } } as never), now: () => 0,
    async updateStatus(next) {
      await Promise.resolve();
      const index = stored.findIndex(({ metadata }) => metadata.name === next.metadata.name);
      if (conflicts-- > 0 || stored[index]!.metadata.resourceVersion !== next.metadata.resourceVersion) throw conflict({ group: "", resource: "resourcequotas" }, next.metadata.name!, "modified");
      stored[index] = { ...next, metadata: { ...next.metadata, resourceVersion: String(Number(next.metadata.resourceVersion) + 1) } };
    },
  });
  return { plugin, used: () => stored.map(({ status }) => status?.used), conflictNext: (times: number) => { conflicts = times; } };
}

describe("a write within the quota is charged", () => {
  test.each([
    ["a pod and what it asks", quota({ pods: "2", "requests.cpu": "1", "limits.memory": "1Gi" }), pods, pod({ requests: { cpu: "500m" }, limits: { memory: "100Mi" } }), { pods: "1", "requests.cpu": "500m", "limits.memory": "100Mi" }],
    ["plain cpu is the request", quota({ cpu: "1" }), pods, pod({ requests: { cpu: "250m" } }), { cpu: "250m" }],
    ["an extended resource", quota({ "requests.example.com/dongle": "3" }), pods, pod({ requests: { "example.com/dongle": "3" } }), { "requests.example.com/dongle": "3" }],
    ["the largest moment of initialisation", quota({ "requests.cpu": "5" }), pods, pod({ requests: { cpu: "1" } }, { initContainers: [{ name: "i", resources: { requests: { cpu: "3" } } }] }), { "requests.cpu": "3" }],
    ["a pod of the quota's scope", quota({ pods: "1" }, {}, { scopes: ["BestEffort"] }), pods, pod(), { pods: "1" }],
    ["a pod outside of it costs nothing", quota({ pods: "0" }, {}, { scopes: ["NotBestEffort"] }), pods, pod(), { pods: "0" }],
    ["a pod that ends counts as terminating", quota({ pods: "1" }, {}, { scopes: ["Terminating"] }), pods, pod({}, { activeDeadlineSeconds: 5 }), { pods: "1" }],
    ["a priority class that is listed", quota({ pods: "1" }, {}, { scopeSelector: { matchExpressions: [{ scopeName: "PriorityClass", operator: "In", values: ["high"] }] } }), pods, pod({}, { priorityClassName: "high" }), { pods: "1" }],
    ["another priority class", quota({ pods: "0" }, {}, { scopeSelector: { matchExpressions: [{ scopeName: "PriorityClass", operator: "In", values: ["high"] }] } }), pods, pod({}, { priorityClassName: "low" }), { pods: "0" }],
    ["affinity to other namespaces", quota({ pods: "1" }, {}, { scopes: ["CrossNamespacePodAffinity"] }), pods, pod({}, { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "k", namespaces: ["x"] }] } } }), { pods: "1" }],
    ["a service with node ports", quota({ services: "1", "services.nodeports": "2", "services.loadbalancers": "0" }), services, service({ type: "NodePort" }), { services: "1", "services.nodeports": "2", "services.loadbalancers": "0" }],
    ["a load balancer without node ports", quota({ "services.nodeports": "0", "services.loadbalancers": "1" }), services, service({ type: "LoadBalancer", allocateLoadBalancerNodePorts: false }), { "services.nodeports": "0", "services.loadbalancers": "1" }],
    ["a secret under both names", quota({ secrets: "5", "count/secrets": "5" }), secrets, object("s"), { secrets: "1", "count/secrets": "1" }],
  ] as const)("%s", async (_, stored, card, written, used) => {
    const { plugin, used: after } = server(stored as ResourceQuota);
    expect(await run(plugin, attributesOf(card, { object: structuredClone(written) as KubeObject }))).toBe("");
    expect(after()[0]).toEqual(used as never);
  });
});

describe("a write is refused", () => {
  test.each([
    ["one pod too many", quota({ pods: "1" }, { pods: "1" }), pods, pod(), 'pods "p" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1'],
    ["too much of one resource of several", quota({ pods: "5", "requests.cpu": "1" }, { "requests.cpu": "700m" }), pods, pod({ requests: { cpu: "500m" } }), "exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=700m, limited: requests.cpu=1"],
    ["what the quota limits is not stated", quota({ "requests.cpu": "1", "limits.memory": "1" }), pods, pod(), 'failed quota: q: must specify limits.memory for: c; requests.cpu for: c'],
    ["nobody has counted yet", { ...quota({ configmaps: "1" }), status: { hard: { configmaps: "1" } } }, configmaps, object("c"), "status unknown for quota: q, resources: configmaps"],
  ] as const)("%s", async (_, stored, card, written, text) => {
    const { plugin } = server(stored as ResourceQuota);
    const refusal = await run(plugin, attributesOf(card, { object: structuredClone(written) as KubeObject }));
    expect(refusal).toStartWith("403 ");
    expect(refusal).toContain(text);
  });
});

test("an update costs the difference only", async () => {
  const { plugin, used } = server(quota({ "services.nodeports": "2" }, {}));
  expect(await run(plugin, attributesOf(services, { operation: "UPDATE", object: service({ type: "NodePort" }), oldObject: service({ type: "ClusterIP" }) as never }))).toBe("");
  expect(await run(plugin, attributesOf(services, { operation: "UPDATE", object: service({ type: "NodePort" }), oldObject: service({ type: "NodePort" }) as never }))).toBe("");
  expect(used()[0]).toEqual({ "services.nodeports": "2" });
});

test("of many at once just as many get in as there is room for", async () => {
  const { plugin, used } = server(quota({ configmaps: "5" }));
  const refusals = await Promise.all(Array.from({ length: 20 }, (_, i) => run(plugin, attributesOf(configmaps, { object: object(`c${i}`) }))));
  expect(refusals.filter((refusal) => refusal === "")).toHaveLength(5);
  expect(used()[0]).toEqual({ configmaps: "5" });
});

test("a lost race is tried again, and only the quota that lost it is charged again", async () => {
  const { plugin, used, conflictNext } = server(quota({ configmaps: "5" }), { ...quota({ "count/configmaps": "5" }), metadata: { name: "other", namespace: "ns" } });
  conflictNext(1);
  expect(await run(plugin, attributesOf(configmaps, { object: object("c") }))).toBe("");
  expect(used()).toEqual([{ configmaps: "1" }, { "count/configmaps": "1" }]);
  conflictNext(100);
  expect(await run(plugin, attributesOf(configmaps, { object: object("c") }))).toStartWith("409 ");
});

test("a dry run is checked and costs nothing", async () => {
  const { plugin, used } = server(quota({ configmaps: "1" }));
  expect(await run(plugin, attributesOf(configmaps, { object: object("c"), dryRun: true }))).toBe("");
  expect(used()[0]).toEqual({ configmaps: "0" });
});
