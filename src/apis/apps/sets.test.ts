import { describe, expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import { anyone } from "../testing/anyone.ts";
import { controllerrevisions } from "./controllerrevision.ts";
import { daemonsets, type DaemonSet } from "./daemonset.ts";
import { statefulsets, type StatefulSet } from "./statefulset.ts";

function statefulset(change: (object: StatefulSet) => void = () => undefined): StatefulSet {
  const object = statefulsets.example!();
  change(object);
  statefulsets.default!(object);
  return object;
}
function daemonset(change: (object: DaemonSet) => void = () => undefined): DaemonSet {
  const object = daemonsets.example!();
  change(object);
  daemonsets.default!(object);
  return object;
}

describe("stateful sets", () => {
  test("defaults, also of the claims", () => {
    const object = statefulset((one) => { one.spec!.volumeClaimTemplates = [{ metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } }]; });
    expect(object.spec).toMatchObject({
      replicas: 1, podManagementPolicy: "OrderedReady", revisionHistoryLimit: 10, updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
      volumeClaimTemplates: [{ apiVersion: "v1", kind: "PersistentVolumeClaim", spec: { volumeMode: "Filesystem" }, status: { phase: "Pending" } }],
    });
    object.spec!.template.spec!.containers[0]!.volumeMounts = [{ name: "data", mountPath: "/data" }];
    expect(statefulsets.strategy.validate!(object)).toEqual([]);
  });
  test("maxUnavailable is a feature that is off", () => {
    const object = statefulset((one) => { one.spec!.updateStrategy = { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 2 } }; });
    statefulsets.strategy.prepareForCreate!(object, anyone);
    expect(object.spec!.updateStrategy).toEqual({ type: "RollingUpdate", rollingUpdate: { partition: 0 } });
  });
  test.each<[string, (object: StatefulSet) => void, string[]]>([
    ["an unknown order", (object) => { object.spec!.podManagementPolicy = "Random" as never; }, ["spec.podManagementPolicy: Invalid value: \"Random\": must be 'OrderedReady' or 'Parallel'"]],
    ["an unknown strategy", (object) => { object.spec!.updateStrategy = { type: "Never" as never }; }, ["spec.updateStrategy: Invalid value: {\"Type\":\"Never\",\"RollingUpdate\":null}: must be 'RollingUpdate' or 'OnDelete'"]],
    ["pods that end", (object) => { object.spec!.template.spec!.restartPolicy = "Never"; }, ["spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\""]],
    ["no selector", (object) => { object.spec!.selector = {}; }, ["spec.selector: Invalid value: {}: empty selector is invalid for statefulset"]],
    ["a claim without a size", (object) => { object.spec!.volumeClaimTemplates = [{ metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"] } }]; }, ["spec.volumeClaimTemplates[0].spec.resources[storage]: Required value"]],
  ])("%s", (_, change, expected) => expect(statefulsets.strategy.validate!(statefulset(change)).map(render)).toEqual(expected));
  test("little of the spec changes", () => {
    expect(statefulsets.strategy.validateUpdate!(statefulset((object) => { object.spec!.replicas = 3; }), statefulset())).toEqual([]);
    expect(statefulsets.strategy.validateUpdate!(statefulset((object) => { object.spec!.serviceName = "other"; }), statefulset()).map(render)).toEqual([
      "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ]);
  });
});

describe("daemon sets", () => {
  test("defaults", () => expect(daemonset().spec).toMatchObject({ revisionHistoryLimit: 10, updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } } }));
  test("changes of the template are counted", () => {
    const old = daemonset(), next = daemonset((object) => { object.spec!.template.spec!.containers[0]!.image = "busybox:2"; });
    daemonsets.strategy.prepareForCreate!(old, anyone);
    daemonsets.strategy.prepareForUpdate!(next, old);
    expect([old, next].map(({ metadata }) => metadata.annotations!["deprecated.daemonset.template.generation"])).toEqual(["1", "2"]);
  });
  test.each<[string, (object: DaemonSet) => void, string[]]>([
    ["nothing may go nor come", (object) => { object.spec!.updateStrategy = { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0 } }; }, ["spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"]],
    ["both", (object) => { object.spec!.updateStrategy = { type: "RollingUpdate", rollingUpdate: { maxSurge: "10%" } }; }, ["spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: \"10%\": may not be set when maxUnavailable is non-zero"]],
    ["more than all", (object) => { object.spec!.updateStrategy = { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "101%" } }; }, ["spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: \"101%\": must not be greater than 100%"]],
    ["an unknown strategy", (object) => { object.spec!.updateStrategy = { type: "Never" as never }; }, ["spec.updateStrategy: Unsupported value: {\"Type\":\"Never\",\"RollingUpdate\":null}: supported values: \"RollingUpdate\", \"OnDelete\""]],
  ])("%s", (_, change, expected) => expect(daemonsets.strategy.validate!(daemonset(change)).map(render)).toEqual(expected));
});

test("a revision has an object for data, which stays", () => {
  const revision = { metadata: { name: "x", ownerReferences: [{ apiVersion: "apps/v1", kind: "StatefulSet", name: "web", uid: "u", controller: true }] }, revision: 3, data: { a: 1 } };
  expect(controllerrevisions.columns.map(({ value }) => value(revision, 0))).toEqual(["x", "statefulset.apps/web", 3, "<unknown>"]);
  expect(controllerrevisions.strategy.validate!({ metadata: {}, revision: 1, data: [1] as never }).map(render)).toEqual(["data: Required value: data must be a valid JSON object"]);
  expect(controllerrevisions.strategy.validateUpdate!(revision, { ...revision, data: { a: 2 } }).map(render)).toEqual(["data: Invalid value: {\"a\":1}: field is immutable"]);
});
