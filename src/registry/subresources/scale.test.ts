import { expect, test } from "bun:test";
import { builtins, deployments } from "../../apis/builtins.ts";
import type { Scale } from "../../apis/generated/autoscaling/v1.ts";
import { systemClock } from "../../base/clock.ts";
import { Cacher } from "../../storage/cacher/cacher.ts";
import { MemoryStorage } from "../../storage/memory/memory-storage.ts";
import { defineAdmission, type AdmissionAttributes } from "../admission/admission.ts";
import { createRegistry } from "../create-registry.ts";
import { admin, mastersOnly } from "../testing/fixture.ts";

test("admission sees a write to scale as a Scale, and what it changes there is the object's but nobody's", async () => {
  const cacher = new Cacher({ storage: new MemoryStorage() });
  await cacher.start();
  const seen: AdmissionAttributes[] = [];
  const doubling = defineAdmission({
    name: "Doubling", operations: ["UPDATE"], resources: ["deployments.apps/scale"],
    admit(attributes) {
      seen.push({ ...attributes, object: structuredClone(attributes.object) });
      (attributes.object as Scale).spec!.replicas! *= 2;
    },
  });
  const registry = createRegistry({ cacher, cards: builtins, clock: systemClock, authorizer: mastersOnly, admission: [doubling] });
  const context = { user: admin, warn: () => undefined }, key = { namespace: "default", name: "a" };
  const template = { metadata: { labels: { app: "a" } }, spec: { containers: [{ name: "main", image: "busybox" }] } };
  await registry.create(context, deployments, "default", { metadata: { name: "a" }, spec: { replicas: 1, selector: { matchLabels: { app: "a" } }, template } }, { fieldManager: "maker" });

  const scaled = await registry.patchSubresource(context, deployments, key, "scale", { type: "application/merge-patch+json", body: { spec: { replicas: 3 } } }, { fieldManager: "scaler" });
  expect(scaled).toMatchObject({ kind: "Scale", apiVersion: "autoscaling/v1", spec: { replicas: 6 } });
  expect(seen).toMatchObject([{ subresource: "scale", name: "a", namespace: "default", object: { kind: "Scale", spec: { replicas: 3 } }, oldObject: { kind: "Scale", spec: { replicas: 1 } }, options: { kind: "UpdateOptions", fieldManager: "scaler" } }]);
  const { spec, metadata } = await registry.get(deployments, key);
  expect(spec!.replicas).toBe(6);
  expect(metadata!.managedFields!.find(({ subresource }) => subresource === "scale")).toMatchObject({ manager: "scaler", apiVersion: "apps/v1", fieldsV1: { "f:spec": { "f:replicas": {} } } });
  await cacher.close();
});
