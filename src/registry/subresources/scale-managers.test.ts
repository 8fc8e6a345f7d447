import { expect, test } from "bun:test";
import { deployments } from "../../apis/builtins.ts";
import type { ManagedFieldsEntry } from "../../apis/generated/meta/v1.ts";
import type { KubeObject } from "../../apimachinery/meta.ts";
import { managersOfScale, managersOfScaled } from "./scale-managers.ts";

const time = "2026-01-01T00:00:00Z";
const entry = (manager: string, operation: string, fields: Record<string, unknown>, more: Partial<ManagedFieldsEntry> = {}): ManagedFieldsEntry =>
  ({ manager, operation, apiVersion: "apps/v1", time, fieldsType: "FieldsV1", fieldsV1: fields, ...more });
const replicas = { "f:spec": { "f:replicas": {} } };
const withPaused = { "f:spec": { "f:paused": {}, "f:replicas": {} } };
const object = (...managedFields: ManagedFieldsEntry[]): KubeObject => ({ metadata: { name: "a", managedFields } });
const scaleEntry = (manager: string, operation: string): ManagedFieldsEntry => entry(manager, operation, replicas, { apiVersion: "autoscaling/v1" });

test("a Scale's managers are those of the replicas", () => {
  const seen = managersOfScale(deployments, object(entry("applier", "Apply", withPaused), entry("other", "Update", { "f:metadata": { "f:labels": {} } }), entry("old", "Update", replicas, { apiVersion: "extensions/v1beta1" })));
  expect(seen).toEqual([scaleEntry("applier", "Apply")]);
  expect(managersOfScale(deployments, object())).toBeUndefined();
});

test("who still owns the Scale's replicas keeps those of the object", () => {
  const applier = entry("applier", "Apply", withPaused);
  expect(managersOfScaled(deployments, object(applier), [scaleEntry("applier", "Apply")])).toEqual([applier]);
});

test("who has lost them keeps the rest, and the new owner has them", () => {
  expect(managersOfScaled(deployments, object(entry("applier", "Apply", withPaused)), [scaleEntry("scaler", "Update")].map((each) => ({ ...each, subresource: "scale" })))).toEqual([
    entry("applier", "Apply", { "f:spec": { "f:paused": {} } }),
    { manager: "scaler", operation: "Update", apiVersion: "apps/v1", fieldsType: "FieldsV1", fieldsV1: replicas, subresource: "scale" },
  ]);
  expect(managersOfScaled(deployments, object(entry("applier", "Apply", replicas)), undefined)).toBeUndefined();
});
