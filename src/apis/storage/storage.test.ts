import { expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { made, type Change } from "../testing/made.ts";
import { csidrivers } from "./csidriver.ts";
import { csinodes } from "./csinode.ts";
import { csistoragecapacities } from "./csistoragecapacity.ts";
import { storageclasses } from "./storageclass.ts";
import { volumeattachments } from "./volumeattachment.ts";
import { volumeattributesclasses } from "./volumeattributesclass.ts";

test.each([
  ["a class without provisioner", storageclasses, (o) => { delete o.provisioner; o.reclaimPolicy = "Recycle"; o.volumeBindingMode = "Later"; }, ["provisioner: Required value", "reclaimPolicy: Unsupported value: \"Recycle\": supported values: \"Delete\", \"Retain\"", "volumeBindingMode: Unsupported value: \"Later\": supported values: \"Immediate\", \"WaitForFirstConsumer\""]],
  ["a class with an unnamed parameter", storageclasses, (o) => { o.parameters = { "": "x" }; }, ["parameters: Invalid value: \"\": field can not be empty."]],
  ["a topology twice", storageclasses, (o) => { o.allowedTopologies = [1, 2].map(() => ({ matchLabelExpressions: [{ key: "zone", values: ["a", "a"] }] })); }, ["allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: \"a\"", "allowedTopologies[1].matchLabelExpressions[0].values[1]: Duplicate value: \"a\"", "allowedTopologies[1].matchLabelExpressions: Duplicate value: \"\""]],
  ["a driver's tokens", csidrivers, (o) => { o.spec.tokenRequests = [{ audience: "a" }, { audience: "a" }, { audience: "b", expirationSeconds: 1 }]; }, ["spec.tokenRequests[1].audience: Duplicate value: \"a\"", "spec.tokenRequests[2].expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes"]],
  ["a driver's policies", csidrivers, (o) => { o.spec = { fsGroupPolicy: "X", volumeLifecycleModes: ["Y"], nodeAllocatableUpdatePeriodSeconds: 1, serviceAccountTokenInSecrets: true }; }, ["spec.fsGroupPolicy: Unsupported value: \"X\": supported values: \"File\", \"None\", \"ReadWriteOnceWithFSType\"", "spec.volumeLifecycleModes: Unsupported value: \"Y\": supported values: \"Persistent\", \"Ephemeral\"", "spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 1: must be greater than or equal to 10 seconds", "spec.serviceAccountTokenInSecrets: Invalid value: true: serviceAccountTokenInSecrets is set but no tokenRequests are specified"]],
  ["a node's drivers", csinodes, (o) => { o.spec.drivers = [{ name: "", nodeID: "" }, { name: "a", nodeID: "x", topologyKeys: ["k", "k"] }, { name: "a", nodeID: "x", allocatable: { count: -1 } }]; }, ["spec.drivers[0].name: Required value", "spec.drivers[0].nodeID: Required value", "spec.drivers[1]: Duplicate value: \"k\"", "spec.drivers[2].allocatable.count: Invalid value: -1: must be greater than or equal to 0", "spec.drivers[2].name: Duplicate value: \"a\""]],
  ["a negative capacity", csistoragecapacities, (o) => { o.capacity = "-1"; }, ["capacity: Invalid value: \"-1\": must be greater than or equal to 0"]],
  ["an attachment of nothing", volumeattachments, (o) => { o.spec = { attacher: "a.b", nodeName: "n" }; }, ["spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName"]],
  ["an attachment of two things", volumeattachments, (o) => { o.spec.source.inlineVolumeSpec = {}; }, ["spec.source: Forbidden: must specify exactly one of inlineVolumeSpec and persistentVolumeName"]],
  ["attributes without any", volumeattributesclasses, (o) => { delete o.parameters; delete o.driverName; }, ["driverName: Required value", "parameters: Required value: must contain at least one key/value pair"]],
] as [string, AnyResource, Change, string[]][])("validation: %s", (_, card, change, expected) => expect(card.strategy.validate!(made(card, change)).map(render)).toEqual(expected));

test.each([
  [storageclasses, () => undefined, "reclaimPolicy", "Delete"],
  [storageclasses, () => undefined, "volumeBindingMode", "Immediate"],
  [csidrivers, () => undefined, "spec", {"attachRequired":true,"podInfoOnMount":false,"storageCapacity":false,"fsGroupPolicy":"ReadWriteOnceWithFSType","volumeLifecycleModes":["Persistent"],"requiresRepublish":false,"seLinuxMount":false}],
] as [AnyResource, Change, string, unknown][])("defaults %#", (card, change, path, expected) => {
  expect(path.split(".").reduce((value, field) => value?.[field], made(card, change))).toEqual(expected);
});

test.each([
  [storageclasses, (o) => { o.metadata.annotations = { "storageclass.kubernetes.io/is-default-class": "true" }; o.allowVolumeExpansion = true; }, ["example (default)", "example.com/provisioner", "Delete", "Immediate", true, "<unknown>"]],
  [csidrivers, (o) => { o.spec.tokenRequests = [{ audience: "a" }, { audience: "b" }]; }, ["example.csi.example.com", true, false, false, "a,b", false, "Persistent", "<unknown>"]],
  [csinodes, () => undefined, ["example", 1, "<unknown>"]],
  [volumeattachments, () => undefined, ["example", "example.csi.example.com", "example", "example", false, "<unknown>"]],
  [volumeattributesclasses, () => undefined, ["example", "example.csi.example.com", "<unknown>"]],
] as [AnyResource, Change, unknown[]][])("columns %#", (card, change, expected) => expect<unknown[]>(card.columns.map((column) => column.value(made(card, change), 0))).toEqual(expected));
