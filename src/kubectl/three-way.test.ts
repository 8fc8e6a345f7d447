import { describe, expect, test } from "bun:test";
import type { JsonObject } from "../apimachinery/own.ts";
import { applyMergePatch } from "../apimachinery/patch/merge-patch.ts";
import { applyStrategicMergePatch } from "../apimachinery/patch/strategic.ts";
import { schemaOf, threeWayPatch } from "./three-way.ts";

const deployment = (spec: object, metadata: object = {}): JsonObject => ({ metadata: { name: "web", ...metadata }, spec: { template: { spec } } });
const type = schemaOf("apps/v1", "Deployment");
const spec = (patch: JsonObject): unknown => (patch as { spec?: { template?: { spec?: unknown } } }).spec?.template?.spec;

/** What was applied, what is wanted, what the server has, and the patch of the pod's spec. */
const cases: Record<string, [applied: object, wanted: object, live: object, patch: object | undefined]> = {
  "nothing to do": [{ nodeName: "a" }, { nodeName: "a" }, { nodeName: "a", dnsPolicy: "ClusterFirst" }, undefined],
  "a changed field; what others set stays": [{ nodeName: "a" }, { nodeName: "b" }, { nodeName: "a", dnsPolicy: "ClusterFirst" }, { nodeName: "b" }],
  "a field that is no longer wanted": [{ nodeName: "a", hostname: "h" }, { nodeName: "a" }, { nodeName: "a", hostname: "h" }, { hostname: null }],
  "drift is put right": [{ nodeName: "a" }, { nodeName: "a" }, { nodeName: "z" }, { nodeName: "a" }],
  "a container by its name": [
    { containers: [{ name: "a", image: "1" }] }, { containers: [{ name: "a", image: "2" }] }, { containers: [{ name: "a", image: "1", imagePullPolicy: "Always" }] },
    { "$setElementOrder/containers": [{ name: "a" }], containers: [{ name: "a", image: "2" }] },
  ],
  "a container goes, one comes": [
    { containers: [{ name: "a", image: "1" }, { name: "b", image: "1" }] }, { containers: [{ name: "a", image: "1" }, { name: "c", image: "1" }] }, { containers: [{ name: "a", image: "1" }, { name: "b", image: "1" }] },
    { "$setElementOrder/containers": [{ name: "a" }, { name: "c" }], containers: [{ name: "c", image: "1" }, { $patch: "delete", name: "b" }] },
  ],
  "a variable goes inside a container": [
    { containers: [{ name: "a", env: [{ name: "X", value: "1" }, { name: "Y", value: "1" }] }] }, { containers: [{ name: "a", env: [{ name: "Y", value: "2" }] }] }, { containers: [{ name: "a", env: [{ name: "X", value: "1" }, { name: "Y", value: "1" }] }] },
    { "$setElementOrder/containers": [{ name: "a" }], containers: [{ "$setElementOrder/env": [{ name: "Y" }], env: [{ name: "Y", value: "2" }, { $patch: "delete", name: "X" }], name: "a" }] },
  ],
  "a volume becomes another kind; a list that is emptied has no order": [
    { volumes: [{ name: "v", emptyDir: {} }], containers: [{ name: "a", volumeMounts: [{ name: "v", mountPath: "/v" }] }] }, { volumes: [{ name: "v", hostPath: { path: "/x" } }], containers: [{ name: "a", volumeMounts: [] }] }, { volumes: [{ name: "v", emptyDir: {} }], containers: [{ name: "a", volumeMounts: [{ name: "v", mountPath: "/v" }] }] },
    { "$setElementOrder/volumes": [{ name: "v" }], volumes: [{ $retainKeys: ["hostPath", "name"], name: "v", hostPath: { path: "/x" }, emptyDir: null }], "$setElementOrder/containers": [{ name: "a" }], containers: [{ name: "a", volumeMounts: [{ $patch: "delete", mountPath: "/v" }] }] },
  ],
  "a list without keys is replaced": [{ containers: [{ name: "a", args: ["1"] }] }, { containers: [{ name: "a", args: ["1", "2"] }] }, { containers: [{ name: "a", args: ["1"] }] }, { "$setElementOrder/containers": [{ name: "a" }], containers: [{ name: "a", args: ["1", "2"] }] }],
};

describe("strategic", () => {
  for (const [name, [applied, wanted, live, expected]] of Object.entries(cases)) {
    test(name, () => {
      const patch = threeWayPatch(deployment(applied), deployment(wanted), deployment(live), type);
      expect(spec(patch)).toEqual(expected as never);
      const result = applyStrategicMergePatch<JsonObject>("io.k8s.api.apps.v1.Deployment", deployment(live), patch);
      // Once applied there is nothing left to do.
      expect(threeWayPatch(deployment(wanted), deployment(wanted), result, type)).toEqual({});
    });
  }

  test("finalizers are a set", () => {
    const with_ = (...finalizers: string[]): JsonObject => ({ metadata: { finalizers } });
    expect(threeWayPatch(with_("a", "b"), with_("b", "c"), with_("a", "b", "x"), type)).toEqual({ metadata: { finalizers: ["c"], "$deleteFromPrimitiveList/finalizers": ["a"], "$setElementOrder/finalizers": ["b", "c"] } });
  });

  test("a strategy that changes retains its keys only", () => {
    const strategy = (value: object): JsonObject => ({ spec: { strategy: value } });
    expect(threeWayPatch(strategy({ type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } }), strategy({ type: "Recreate" }), strategy({ type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } }), type))
      .toEqual({ spec: { strategy: { $retainKeys: ["type"], type: "Recreate", rollingUpdate: null } } });
  });
});

describe("custom resources", () => {
  const merge = (applied: JsonObject, wanted: JsonObject, live: JsonObject): JsonObject => threeWayPatch(applied, wanted, live, schemaOf("example.com/v1", "Widget"));

  test("by merge patch, lists as a whole", () => {
    const live = { spec: { a: 1, gone: 1, theirs: 1, list: [{ name: "x", v: 1 }] } }, wanted = { spec: { a: 2, list: [{ name: "x", v: 2 }] } };
    const patch = merge({ spec: { a: 1, gone: 1, list: [{ name: "x", v: 1 }] } }, wanted, live);
    expect(patch).toEqual({ spec: { a: 2, gone: null, list: [{ name: "x", v: 2 }] } });
    expect(applyMergePatch(live, patch)).toEqual({ spec: { a: 2, theirs: 1, list: [{ name: "x", v: 2 }] } });
  });
});

test("schemas by group", () => {
  expect(["v1 Pod", "rbac.authorization.k8s.io/v1 Role", "apiextensions.k8s.io/v1 CustomResourceDefinition", "apiregistration.k8s.io/v1 APIService", "events.k8s.io/v1 Event"].map((each) => each.split(" ") as [string, string]).every(([version, kind]) => schemaOf(version, kind))).toBe(true);
  expect(["apps.example.com/v1 Deployment", "snapshot.storage.k8s.io/v1 VolumeSnapshot", "v1 Widget"].map((each) => each.split(" ") as [string, string]).some(([version, kind]) => schemaOf(version, kind))).toBe(false);
});
