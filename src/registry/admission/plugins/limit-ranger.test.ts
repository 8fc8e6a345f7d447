import { describe, expect, test } from "bun:test";
import { pods } from "../../../apis/builtins.ts";
import type { KubeObject } from "../../../apimachinery/meta.ts";
import type { AnyResource } from "../../../apimachinery/resource.ts";
import type { LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod } from "../../../apis/generated/core/v1.ts";
import { attributesOf, listersOf, run } from "../../testing/admission.ts";
import { limitRanger } from "./limit-ranger.ts";

const range = (...limits: LimitRangeItem[]): LimitRange => ({ metadata: { name: "l", namespace: "ns" }, spec: { limits } });
const plugin = (...limits: LimitRangeItem[]) => limitRanger({ listers: listersOf({ limitranges: [range(...limits)] }) });
const pod = (...resources: object[]): Pod => ({ metadata: { name: "p", namespace: "ns" }, spec: { containers: resources.map((each, i) => ({ name: `c${i}`, resources: each })) } as Pod["spec"] });
const claims = { ...pods, resource: "persistentvolumeclaims", kind: "PersistentVolumeClaim" } as AnyResource;
const claim = (storage: string): PersistentVolumeClaim => ({ metadata: { name: "c", namespace: "ns" }, spec: { resources: { requests: { storage } } } });

test("containers get what they don't state, and the pod says so", async () => {
  const object = pod({ requests: { cpu: "1" } });
  object.spec.initContainers = [{ name: "i" }];
  expect(await run(plugin({ type: "Container", default: { cpu: "2", memory: "1Gi" }, defaultRequest: { cpu: "100m" } }), attributesOf(pods, { object }))).toBe("");
  expect(object.spec.containers[0]!.resources).toEqual({ requests: { cpu: "1" }, limits: { cpu: "2", memory: "1Gi" } });
  expect(object.spec.initContainers![0]!.resources).toEqual({ requests: { cpu: "100m" }, limits: { cpu: "2", memory: "1Gi" } });
  expect(object.metadata.annotations).toEqual({ "kubernetes.io/limit-ranger": "LimitRanger plugin set: cpu, memory limit for container c0; cpu request for init container i; cpu, memory limit for init container i" });
});

describe("limits", () => {
  test.each([
    ["a request below the least", { type: "Container", min: { cpu: "50m" } }, pod({ requests: { cpu: "10m" } }), "minimum cpu usage per Container is 50m, but request is 10m"],
    ["no request at all", { type: "Container", min: { cpu: "50m" } }, pod({}), "minimum cpu usage per Container is 50m.  No request is specified"],
    ["a limit above the most", { type: "Container", max: { memory: "100Mi" } }, pod({ limits: { memory: "1Gi" } }), "maximum memory usage per Container is 100Mi, but limit is 1Gi"],
    ["no limit at all", { type: "Container", max: { memory: "100Mi" } }, pod({}), "maximum memory usage per Container is 100Mi.  No limit is specified"],
    ["a limit far above the request", { type: "Container", maxLimitRequestRatio: { cpu: "2" } }, pod({ requests: { cpu: "100m" }, limits: { cpu: "250m" } }), "cpu max limit to request ratio per Container is 2, but provided ratio is 2.500000"],
    ["a pod's sum above the most", { type: "Pod", max: { cpu: "1" } }, pod({ requests: { cpu: "600m" }, limits: { cpu: "600m" } }, { requests: { cpu: "600m" }, limits: { cpu: "600m" } }), "maximum cpu usage per Pod is 1, but limit is 1200m"],
    ["two faults", { type: "Container", min: { cpu: "50m", memory: "1Mi" } }, pod({}), "[minimum cpu usage per Container is 50m.  No request is specified, minimum memory usage per Container is 1Mi.  No request is specified]"],
    ["within the limits", { type: "Container", min: { cpu: "50m" }, max: { cpu: "1" }, maxLimitRequestRatio: { cpu: "4" } }, pod({ requests: { cpu: "250m" }, limits: { cpu: "1" } }), ""],
  ] as const)("%s", async (_, item, object, expected) => {
    const refusal = await run(plugin(item as LimitRangeItem), attributesOf(pods, { object: structuredClone(object) as Pod }));
    expect(refusal).toBe(expected && `403 pods "p" is forbidden: ${expected}`);
  });

  test.each([["5Gi", ""], ["20Gi", "maximum storage usage per PersistentVolumeClaim is 10Gi, but request is 20Gi"], ["1Mi", "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi"]])("a claim of %s", async (storage, expected) => {
    const refusal = await run(plugin({ type: "PersistentVolumeClaim", min: { storage: "1Gi" }, max: { storage: "10Gi" } }), attributesOf(claims, { object: claim(storage) as KubeObject }));
    expect(refusal).toBe(expected && `403 persistentvolumeclaims "c" is forbidden: ${expected}`);
  });

  test("hold for new pods and for resizing, not for other updates", async () => {
    const tooLarge = { object: pod({ limits: { cpu: "5" } }), oldObject: pod({}) as never, operation: "UPDATE" as const };
    const strict = plugin({ type: "Container", max: { cpu: "1" } });
    expect(await run(strict, attributesOf(pods, tooLarge))).toBe("");
    expect(await run(strict, attributesOf(pods, { ...tooLarge, subresource: "resize" }))).toContain("maximum cpu usage");
  });
});
