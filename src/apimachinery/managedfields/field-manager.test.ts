import { expect, test } from "bun:test";
import type { Deployment } from "../../apis/generated/apps/v1.ts";
import type { Frozen } from "../meta.ts";
import type { JsonObject } from "../own.ts";
import { StatusError } from "../status.ts";
import { applyConfiguration, trackUpdate, type ManagedWrite } from "./field-manager.ts";
import { setOf } from "./field-set.ts";
import { tableMergeType } from "./table-merge-type.ts";

const by = (manager: string): ManagedWrite => ({
  type: tableMergeType("io.k8s.api.apps.v1.Deployment"), group: "apps", version: "v1", kind: "Deployment", manager, subresource: "", reset: setOf(["f:status"]), now: "2026-01-01T00:00:00Z",
});
const config = (replicas?: number): JsonObject => ({
  apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", labels: { app: "web" } },
  spec: {
    ...(replicas === undefined ? {} : { replicas }), selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "i", ports: [{ containerPort: 80 }] }] } },
  },
});
const applied = (live: Deployment | undefined, body: JsonObject, manager: string, force = false): Deployment => applyConfiguration(live as Frozen<Deployment> | undefined, body, by(manager), force) as Deployment;
const owned = ({ metadata }: Deployment): Record<string, unknown> => Object.fromEntries(metadata.managedFields!.map(({ manager, fieldsV1 }) => [manager, fieldsV1]));
const container = (more: object): object => ({ 'k:{"name":"c"}': { ".": {}, "f:image": {}, "f:name": {}, ...more } });

test("an applier owns what it says, by the keys of lists", () => {
  expect(owned(applied(undefined, config(1), "a"))).toEqual({
    a: {
      "f:metadata": { "f:labels": { "f:app": {} } },
      "f:spec": {
        "f:replicas": {}, "f:selector": {},
        "f:template": { "f:metadata": { "f:labels": { "f:app": {} } }, "f:spec": { "f:containers": container({ "f:ports": { 'k:{"containerPort":80,"protocol":"TCP"}': { ".": {}, "f:containerPort": {} } } }) } },
      },
    },
  });
});

test("an updater also owns the maps it made, and the structs that an item has anyway", () => {
  const object = config(1) as unknown as Deployment;
  trackUpdate(undefined, object, by("u"));
  const { "f:spec": spec, "f:metadata": metadata } = owned(object)["u"] as Record<string, Record<string, Record<string, Record<string, unknown>>>>;
  expect(metadata).toEqual({ "f:labels": { ".": {}, "f:app": {} } });
  expect(spec!["f:template"]!["f:spec"]!["f:containers"]).toEqual(container({ "f:ports": { ".": {}, 'k:{"containerPort":80,"protocol":"TCP"}': { ".": {}, "f:containerPort": {} } }, "f:resources": {} }));
});

test("another's field is a conflict, told as Kubernetes tells it, unless forced", () => {
  const live = applied(undefined, config(1), "a");
  let refusal: unknown;
  try {
    applied(live, config(2), "b");
  } catch (error) {
    refusal = error;
  }
  expect((refusal as StatusError).status).toMatchObject({
    code: 409, message: 'Apply failed with 1 conflict: conflict with "a": .spec.replicas',
    details: { causes: [{ reason: "FieldManagerConflict", message: 'conflict with "a"', field: ".spec.replicas" }] },
  });
  const forced = applied(live, config(2), "b", true);
  expect(forced.spec.replicas).toBe(2);
  expect(owned(forced)["a"]).not.toHaveProperty(["f:spec", "f:replicas"]);
});

test("what the applier no longer says goes, unless another says it too", () => {
  const live = applied(undefined, config(1), "a");
  expect(applied(live, config(), "a").spec).not.toHaveProperty("replicas");
  const shared = applied(live, config(1), "b");
  expect(applied(shared, config(), "a").spec.replicas).toBe(1);
});

test("applying the same again changes nothing", () => {
  const live = applied(undefined, config(1), "a");
  expect(applied(live, config(1), "a")).toEqual(live);
});

test("what nobody owns stays in a struct that the applier leaves empty, as what admission put there", () => {
  const body = { ...config(1), spec: { ...config(1)["spec"] as object, strategy: {} } };
  const live = applied(undefined, body, "a");
  live.spec.strategy = { type: "Recreate" };
  const again = applied(live, body, "a");
  expect(again).toEqual(live);
  // Given up as a whole, it goes as a whole.
  expect(applied(again, config(1), "a").spec).not.toHaveProperty("strategy");
});

test("kubectl takes over from client-side apply without a conflict", () => {
  const object = config(1) as unknown as Deployment;
  object.metadata.annotations = { "kubectl.kubernetes.io/last-applied-configuration": JSON.stringify(config(1)) };
  trackUpdate(undefined, object, by("kubectl-client-side-apply"));
  expect(applied(object, config(3), "kubectl").spec.replicas).toBe(3);
  expect(() => applied(object, config(3), "other")).toThrow('conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas');
});

test("a configuration that doesn't fit its type is refused, all faults at once", () => {
  const body = { ...config(1), foo: 1, metadata: { name: "web", labels: { app: 1 } } };
  expect(() => applied(undefined, body, "a")).toThrow(
    "failed to create typed patch object (/web; apps/v1, Kind=Deployment): errors:\n  .metadata.labels.app: expected string, got &value.valueUnstructured{Value:1}\n  .foo: field not declared in schema");
});

test("an apply that changes nothing in the object brings its manager no time", () => {
  const live = applied(undefined, config(1), "a");
  const times = ({ metadata }: Deployment): unknown[] => metadata.managedFields!.map(({ manager, time }) => [manager, time]);
  expect(times(applied(live, config(1), "b"))).toEqual([["b", undefined], ["a", "2026-01-01T00:00:00Z"]]);
  expect(times(applied(live, config(2), "b", true))).toEqual([["a", "2026-01-01T00:00:00Z"], ["b", "2026-01-01T00:00:00Z"]]);
});

test("an updater that changes what it alone owns keeps its entry but for the time; what another owns too, that one loses", () => {
  const live = config(1) as unknown as Deployment;
  trackUpdate(undefined, live, by("u"));
  const later = { ...by("u"), now: "2026-01-01T00:01:00Z" };
  const scaled = config(2) as unknown as Deployment;
  trackUpdate(live as Frozen<Deployment>, scaled, later);
  expect(scaled.metadata.managedFields).toEqual([{ ...live.metadata.managedFields![0]!, time: later.now }]);

  const shared = applied(live, { ...config(), spec: { replicas: 1 } }, "a");
  expect(owned(shared)["a"]).toMatchObject({ "f:spec": { "f:replicas": {} } });
  const taken = { ...structuredClone(shared), spec: { ...structuredClone(shared.spec), replicas: 3 } };
  trackUpdate(shared as Frozen<Deployment>, taken, later);
  expect(owned(taken)["a"]).not.toHaveProperty(["f:spec", "f:replicas"]);
  expect(owned(taken)["u"]).toMatchObject({ "f:spec": { "f:replicas": {} } });
});
