import { describe, expect, test } from "bun:test";
import { render } from "../../../apimachinery/field-errors.ts";
import { anyone } from "../../testing/anyone.ts";
import { persistentvolumeclaims as claims, type PersistentVolumeClaim } from "./persistentvolumeclaim.ts";
import { persistentvolumes as volumes, type PersistentVolume } from "./persistentvolume.ts";

function claim(change: (object: PersistentVolumeClaim) => void = () => undefined): PersistentVolumeClaim {
  const object = claims.example!();
  change(object);
  claims.default!(object);
  claims.strategy.prepareForCreate!(object, anyone);
  return object;
}
function volume(change: (object: PersistentVolume) => void = () => undefined): PersistentVolume {
  const object = volumes.example!();
  change(object);
  volumes.default!(object);
  return object;
}

test("a claim's defaults; a source is named in both fields, and an unknown one is dropped", () => {
  expect(claim()).toMatchObject({ spec: { volumeMode: "Filesystem" }, status: { phase: "Pending" } });
  const source = { kind: "PersistentVolumeClaim", name: "other" };
  expect(claim((object) => { object.spec!.dataSource = source; }).spec!.dataSourceRef).toEqual(source);
  expect(claim((object) => { object.spec!.dataSourceRef = { apiGroup: "example.com", kind: "Copy", name: "x" }; }).spec!.dataSource).toEqual({ apiGroup: "example.com", kind: "Copy", name: "x" });
  expect(claim((object) => { object.spec!.dataSource = { kind: "Copy", name: "x" }; }).spec!.dataSource).toBeUndefined();
});

describe("claims", () => {
  test.each<[string, (object: PersistentVolumeClaim) => void, string[]]>([
    ["nothing said", (object) => { object.spec = {}; }, ["spec.accessModes: Required value: at least 1 access mode is required", "spec.resources[storage]: Required value"]],
    ["one pod and many", (object) => { object.spec!.accessModes = ["ReadWriteOnce", "ReadWriteOncePod"]; }, ["spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"]],
    ["no size", (object) => { object.spec!.resources = { requests: { storage: "0" } }; }, ["spec.resources[storage]: Invalid value: \"0\": must be greater than zero"]],
    ["sources that differ", (object) => {
      object.spec!.dataSource = { kind: "PersistentVolumeClaim", name: "a" };
      object.spec!.dataSourceRef = { kind: "PersistentVolumeClaim", name: "b" };
    }, ["spec: Invalid value: {}: must match dataSourceRef"]],
  ])("%s", (_, change, expected) => expect(claims.strategy.validate!(claim(change)).map(render)).toEqual(expected));

  test("only the size of a bound one grows", () => {
    const old = claim(), bound = structuredClone(old);
    old.status = bound.status = { phase: "Bound", capacity: { storage: "1Gi" } };
    bound.spec!.resources!.requests!["storage"] = "2Gi";
    expect(claims.strategy.validateUpdate!(bound, old)).toEqual([]);
    bound.spec!.resources!.requests!["storage"] = "1Mi";
    expect(claims.strategy.validateUpdate!(bound, old).map(render)).toEqual(["spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"]);
    bound.spec = { ...old.spec!, accessModes: ["ReadWriteMany"] };
    expect(claims.strategy.validateUpdate!(bound, old)[0]!.message).toStartWith("Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims");
  });

  test("columns", () => {
    const object = claim((one) => { one.spec!.volumeName = "v"; });
    object.status = { phase: "Bound", capacity: { storage: "1Gi" }, accessModes: ["ReadWriteMany", "ReadWriteOnce"] };
    expect(claims.columns.map(({ value }) => value(object, 0))).toEqual(["example", "Bound", "v", "1Gi", "RWO,RWX", "", "<unset>", "<unknown>", "Filesystem"]);
  });
});

describe("volumes", () => {
  test("defaults", () => expect(volume().spec).toMatchObject({ persistentVolumeReclaimPolicy: "Retain", volumeMode: "Filesystem", hostPath: { path: "/srv/example", type: "" } }));

  test.each<[string, (object: PersistentVolume) => void, string[]]>([
    ["nothing said", (object) => { object.spec = {}; }, ["spec.accessModes: Required value", "spec.capacity: Required value", "spec.capacity: Unsupported value: null: supported values: \"storage\"", "spec: Required value: must specify a volume type"]],
    ["two kinds", (object) => { object.spec!.nfs = { server: "a", path: "/" }; }, ["spec.nfs: Forbidden: may not specify more than 1 volume type"]],
    ["a local one anywhere", (object) => {
      delete object.spec!.hostPath;
      object.spec!.local = { path: "/a" };
    }, ["spec.nodeAffinity: Required value: Local volume requires node affinity"]],
    ["a driver's bad name", (object) => {
      delete object.spec!.hostPath;
      object.spec!.csi = { driver: "", volumeHandle: "" };
    }, ["spec.csi.driver: Required value", "spec.csi.volumeHandle: Required value"]],
    ["the root recycled", (object) => {
      object.spec!.hostPath = { path: "/" };
      object.spec!.persistentVolumeReclaimPolicy = "Recycle";
    }, ["spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"]],
  ])("%s", (_, change, expected) => expect(volumes.strategy.validate!(volume(change)).map(render)).toEqual(expected));

  test("the source stays", () => {
    const moved = volume((object) => { object.spec!.hostPath = { path: "/elsewhere" }; });
    expect(volumes.strategy.validateUpdate!(moved, volume())[0]!.message).toStartWith("Forbidden: spec.persistentvolumesource is immutable after creation");
  });

  test("says when the phase changed", () => {
    const old = volume(), object = volume();
    old.status = { phase: "Pending", lastPhaseTransitionTime: "2026-01-01T00:00:00Z" };
    object.status = { phase: "Pending" };
    volumes.strategy.prepareForStatusUpdate!(object, old, anyone);
    expect(object.status.lastPhaseTransitionTime).toBe("2026-01-01T00:00:00Z");
    object.status = { phase: "Bound" };
    volumes.strategy.prepareForStatusUpdate!(object, old, anyone);
    expect(object.status.lastPhaseTransitionTime).not.toBe("2026-01-01T00:00:00Z");
  });
});
