import { describe, expect, test } from "bun:test";
import type { KubeObject } from "../../../apimachinery/meta.ts";
import type { AnyResource } from "../../../apimachinery/resource.ts";
import { persistentvolumeclaims } from "../../../apis/core/volume/persistentvolumeclaim.ts";
import { persistentvolumes } from "../../../apis/core/volume/persistentvolume.ts";
import { pods } from "../../../apis/core/pod/pod.ts";
import { ingresses } from "../../../apis/networking/ingress.ts";
import type { Binding, PersistentVolumeClaim, Pod } from "../../../apis/generated/core/v1.ts";
import type { Ingress } from "../../../apis/generated/networking/v1.ts";
import { attributesOf, listersOf, run } from "../../testing/admission.ts";
import { defaultIngressClass } from "./default-ingress-class.ts";
import { defaultStorageClass } from "./default-storage-class.ts";
import { persistentVolumeClaimResize } from "./persistent-volume-claim-resize.ts";
import { podTopologyLabels } from "./pod-topology-labels.ts";
import { runtimeClass } from "./runtime-class.ts";
import { storageObjectInUseProtection } from "./storage-object-in-use-protection.ts";

const claim = (spec: object = {}, more: object = {}): PersistentVolumeClaim => ({ metadata: { name: "c", namespace: "ns" }, spec, ...more });
const classOf = (name: string, creationTimestamp: string, annotation = "storageclass.kubernetes.io/is-default-class", more: object = {}): KubeObject => ({ metadata: { name, creationTimestamp, annotations: { [annotation]: "true" } }, ...more });
const old = "2026-01-01T00:00:00Z", young = "2026-02-01T00:00:00Z";

describe("a claim without a class", () => {
  test.each([
    ["gets the newest default", [classOf("a", old), classOf("b", young)], claim(), "b"],
    ["gets the first by name of equally new ones", [classOf("b", old), classOf("a", old)], claim(), "a"],
    ["is left alone without a default", [{ metadata: { name: "a" } }], claim(), undefined],
    ["that says so is left alone", [classOf("a", old)], claim({ storageClassName: "" }), ""],
  ])("%s", async (_, classes, object, expected) => {
    await run(defaultStorageClass({ listers: listersOf({ storageclasses: classes }) }), attributesOf(persistentvolumeclaims, { object: structuredClone(object) }));
    const written = structuredClone(object);
    await run(defaultStorageClass({ listers: listersOf({ storageclasses: classes }) }), attributesOf(persistentvolumeclaims, { object: written }));
    expect(written.spec?.storageClassName).toBe(expected as never);
  });
});

test("an ingress without a class gets the default one, unless its annotation names one", async () => {
  const plugin = defaultIngressClass({ listers: listersOf({ ingressclasses: [classOf("a", old, "ingressclass.kubernetes.io/is-default-class")] }) });
  const ingress = (annotations = {}): Ingress => ({ metadata: { name: "i", namespace: "ns", annotations }, spec: {} });
  const plain = ingress(), annotated = ingress({ "kubernetes.io/ingress.class": "x" });
  for (const object of [plain, annotated]) await run(plugin, attributesOf(ingresses, { object }));
  expect([plain, annotated].map(({ spec }) => spec?.ingressClassName)).toEqual(["a", undefined]);
});

test("claims and volumes are protected while in use", async () => {
  const finalizers = async (card: AnyResource, object: KubeObject) => {
    await run(storageObjectInUseProtection, attributesOf(card, { object }));
    return object.metadata.finalizers;
  };
  expect(await finalizers(persistentvolumeclaims, claim())).toEqual(["kubernetes.io/pvc-protection"]);
  expect(await finalizers(persistentvolumes, { metadata: { name: "v", finalizers: ["x"] } })).toEqual(["x", "kubernetes.io/pv-protection"]);
});

describe("a claim that grows", () => {
  const size = (storage: string, storageClassName = "fast", phase = "Bound") => claim({ storageClassName, resources: { requests: { storage } } }, { status: { phase } });
  const plugin = persistentVolumeClaimResize({ listers: listersOf({ storageclasses: [{ metadata: { name: "fast" }, allowVolumeExpansion: true } as never, { metadata: { name: "slow" } }] }) });
  const refusal = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
  test.each([
    ["of a class that lets it", size("2Gi"), size("1Gi"), ""],
    ["of a class that does not", size("2Gi", "slow"), size("1Gi", "slow"), refusal],
    ["without a class", size("2Gi", ""), size("1Gi", ""), refusal],
    ["before it is bound", size("2Gi", "fast", "Pending"), size("1Gi", "fast", "Pending"), "Only bound persistent volume claims can be expanded"],
    ["not at all", size("1Gi", "slow"), size("1024Mi", "slow"), ""],
  ])("%s", async (_, object, oldObject, expected) => {
    expect(await run(plugin, attributesOf(persistentvolumeclaims, { operation: "UPDATE", object, oldObject: oldObject as never }))).toBe(expected && `403 persistentvolumeclaims "c" is forbidden: ${expected}`);
  });
});

describe("a pod's runtime class", () => {
  const pod = (spec: object): Pod => ({ metadata: { name: "p", namespace: "ns" }, spec: { containers: [], ...spec } as Pod["spec"] });
  const toleration = { key: "gpu", operator: "Exists" };
  const kata = { metadata: { name: "kata" }, overhead: { podFixed: { memory: "120Mi" } }, scheduling: { nodeSelector: { kata: "yes" }, tolerations: [toleration] } };
  const plugin = runtimeClass({ listers: listersOf({ runtimeclasses: [kata as never] }) });

  test("brings its overhead and its place", async () => {
    const object = pod({ runtimeClassName: "kata", nodeSelector: { a: "b" }, tolerations: [{ key: "x" }] });
    expect(await run(plugin, attributesOf(pods, { object }))).toBe("");
    expect(object.spec).toMatchObject({ overhead: { memory: "120Mi" }, nodeSelector: { a: "b", kata: "yes" }, tolerations: [{ key: "x" }, toleration] });
  });

  test.each([
    ["must exist", { runtimeClassName: "none" }, 'pod rejected: RuntimeClass "none" not found'],
    ["decides on the overhead", { runtimeClassName: "kata", overhead: { memory: "1Mi" } }, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"],
    ["alone brings overhead", { overhead: { memory: "1Mi" } }, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"],
    ["must not want another place", { runtimeClassName: "kata", nodeSelector: { kata: "no" } }, "conflict: runtimeClass.scheduling.nodeSelector[kata] = yes; pod.spec.nodeSelector[kata] = no"],
  ])("%s", async (_, spec, expected) => {
    expect(await run(plugin, attributesOf(pods, { object: pod(spec) }))).toBe(`403 pods "p" is forbidden: ${expected}`);
  });
});

test("a binding takes over the zone and region of its node, and a pod that is made on a node does too", async () => {
  const plugin = podTopologyLabels({ listers: listersOf({ nodes: [{ metadata: { name: "n", labels: { "topology.kubernetes.io/zone": "z", other: "x" } } }] }) });
  const binding: Binding = { metadata: { name: "p", namespace: "ns" }, target: { kind: "Node", name: "n" } };
  await run(plugin, attributesOf(pods, { subresource: "binding", object: binding as KubeObject }));
  expect(binding.metadata?.labels).toEqual({ "topology.kubernetes.io/zone": "z" });
  const pod: Pod = { metadata: { name: "p", namespace: "ns" }, spec: { containers: [], nodeName: "n" } };
  await run(plugin, attributesOf(pods, { object: pod }));
  expect(pod.metadata.labels).toEqual({ "topology.kubernetes.io/zone": "z" });
});
