import { describe, expect, test } from "bun:test";
import { builtins, pods, services } from "../../../apis/builtins.ts";
import type { Container, Pod, PodSpec, Service } from "../../../apis/generated/core/v1.ts";
import type { OwnerReference } from "../../../apis/generated/meta/v1.ts";
import type { ResourceAttributes } from "../../attributes.ts";
import { attributesOf, listersOf, run } from "../../testing/admission.ts";
import { defaultAdmission } from "../index.ts";
import { alwaysPullImages } from "./always-pull-images.ts";
import { denyServiceExternalIPs } from "./deny-service-external-ips.ts";
import { extendedResourceToleration } from "./extended-resource-toleration.ts";
import { limitPodHardAntiAffinityTopology } from "./limit-pod-hard-anti-affinity-topology.ts";
import { ownerReferencesPermissionEnforcement } from "./owner-references.ts";

const podWith = (spec: Partial<PodSpec>, ownerReferences?: OwnerReference[]): Pod => ({ metadata: { name: "p", namespace: "ns", ...(ownerReferences ? { ownerReferences } : {}) }, spec: { containers: [], ...spec } });
const nobody = { authorize: () => ({ allowed: false, reason: "" }), authorizePath: () => ({ allowed: false, reason: "" }) };

test("optional plugins run where they are enabled, unknown names are a mistake", () => {
  const names = (enabled: string[], disabled: string[] = []): string[] => defaultAdmission({ listers: listersOf({}), authorizer: nobody, enabled, disabled }).map(({ name }) => name);
  expect(names([])).not.toContain("AlwaysPullImages");
  expect(names(["AlwaysPullImages"])).toContain("AlwaysPullImages");
  expect(names(["AlwaysPullImages"], ["AlwaysPullImages"])).not.toContain("AlwaysPullImages");
  expect(names(["NamespaceLifecycle"])).toEqual(names([]));
  expect(() => names(["NoSuch"])).toThrow('there is no admission plugin "NoSuch"');
});

describe("AlwaysPullImages", () => {
  const image = (name: string, imagePullPolicy: Container["imagePullPolicy"] = "IfNotPresent"): Container => ({ name, image: name, imagePullPolicy });

  test("sets the policy wherever an image is named", async () => {
    const pod = podWith({ containers: [image("a")], initContainers: [image("b", "Never")], volumes: [{ name: "v", image: { reference: "c" } }] });
    expect(await run(alwaysPullImages, attributesOf(pods, { object: pod }))).toBe("");
    expect([pod.spec.containers[0]!.imagePullPolicy, pod.spec.initContainers![0]!.imagePullPolicy, pod.spec.volumes![0]!.image!.pullPolicy]).toEqual(["Always", "Always", "Always"]);
  });

  test("leaves an update alone that brings no image, and refuses what another plugin made of it", async () => {
    const pod = podWith({ containers: [image("a")] });
    expect(await run(alwaysPullImages, attributesOf(pods, { operation: "UPDATE", object: pod, oldObject: podWith({ containers: [image("a")] }) as never }))).toBe("");
    expect(pod.spec.containers[0]!.imagePullPolicy).toBe("IfNotPresent");
    expect(() => alwaysPullImages.validate!(attributesOf(pods, { object: podWith({ containers: [image("a", "Never")] }) }))).toThrow('pods "p" is forbidden: spec.containers[0].imagePullPolicy: Unsupported value: "Never": supported values: "Always"');
  });
});

test.each([["kubernetes.io/hostname", ""], ["topology.kubernetes.io/zone", '403 pods "p" is forbidden: affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey topology.kubernetes.io/zone but only key kubernetes.io/hostname is allowed']])("hard anti-affinity within %s", async (topologyKey, expected) => {
  const pod = podWith({ affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey }] } } });
  expect(await run(limitPodHardAntiAffinityTopology, attributesOf(pods, { object: pod }))).toBe(expected);
});

test("extended resources are tolerated, once each", async () => {
  const pod = podWith({
    containers: [{ name: "a", resources: { requests: { cpu: "1", "example.com/gpu": "1", "kubernetes.io/batch": "1" } } }], initContainers: [{ name: "b", resources: { requests: { "example.com/fpga": "1", "example.com/gpu": "1" } } }],
    tolerations: [{ key: "example.com/gpu", operator: "Exists", effect: "NoSchedule" }],
  });
  await run(extendedResourceToleration, attributesOf(pods, { object: pod }));
  expect(pod.spec.tolerations).toEqual([{ key: "example.com/gpu", operator: "Exists", effect: "NoSchedule" }, { key: "example.com/fpga", operator: "Exists", effect: "NoSchedule" }]);
});

test.each([
  ["a new one", ["192.0.2.1"], undefined, '403 services "s" is forbidden: Use of external IPs is denied by admission control'],
  ["none", [], undefined, ""],
  ["what it has", ["192.0.2.1"], ["192.0.2.1", "192.0.2.2"], ""],
  ["another", ["192.0.2.3"], ["192.0.2.1"], '403 services "s" is forbidden: Use of external IPs is denied by admission control'],
])("external IPs: %s", async (_, externalIPs, held, expected) => {
  const service = (ips: string[]): Service => ({ metadata: { name: "s", namespace: "ns" }, spec: { externalIPs: ips } });
  expect(await run(denyServiceExternalIPs, attributesOf(services, { object: service(externalIPs), ...(held ? { operation: "UPDATE", oldObject: service(held) as never } : {}) }))).toBe(expected);
});

describe("OwnerReferencesPermissionEnforcement", () => {
  const owner = (blockOwnerDeletion?: boolean, kind = "ReplicaSet"): OwnerReference => ({ apiVersion: "apps/v1", kind, name: "rs", uid: "u", ...(blockOwnerDeletion === undefined ? {} : { blockOwnerDeletion }) });
  const blocked = '403 pods "p" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can\'t set finalizers on: no, <nil>';

  test.each<[string, OwnerReference[], OwnerReference[] | undefined, string[], string]>([
    ["a create needs nothing", [owner()], undefined, [], ""],
    ["unless it blocks", [owner(true)], undefined, [], blocked],
    ["and the owner's finalizers may be set", [owner(true)], undefined, ["update apps/replicasets/finalizers ns/rs"], ""],
    ["or all finalizers", [owner(true)], undefined, ["update */*/finalizers /*"], ""],
    ["an update must be allowed to delete", [owner()], [], [], "403 pods \"p\" is forbidden: cannot set an ownerRef on a resource you can't delete: no, <nil>"],
    ["and then may", [owner()], [], ["delete /pods/ ns/p"], ""],
    ["what blocks already goes on", [owner(true), { ...owner(), uid: "v" }], [owner(true)], ["delete /pods/ ns/p"], ""],
    ["the same owners need nothing", [owner(true)], [owner(true)], [], ""],
    ["a kind that nobody knows", [owner(true, "Nothing")], undefined, [], '403 pods "p" is forbidden: cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion apps/v1 Kind Nothing: no matches for kind "Nothing" in version "apps/v1"'],
  ])("%s", async (_, refs, before, allowed, expected) => {
    const plugin = ownerReferencesPermissionEnforcement({
      cards: () => builtins,
      authorizer: { ...nobody, authorize: ({ verb, group, resource, subresource, namespace, name }: ResourceAttributes) => ({ allowed: allowed.includes(`${verb} ${group}/${resource}/${subresource} ${namespace}/${name}`), reason: "no" }) },
    });
    expect(await run(plugin, attributesOf(pods, { object: podWith({}, refs), ...(before ? { operation: "UPDATE", oldObject: podWith({}, before) as never } : {}) }))).toBe(expected);
  });
});
