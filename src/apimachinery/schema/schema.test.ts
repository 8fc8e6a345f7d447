import { expect, test } from "bun:test";
import { hasType, structOf, StructType, typeNames, typeOf } from "./schema.ts";

test("every type of the table can be read, and what its fields refer to", () => {
  let fields = 0;
  for (const name of typeNames()) {
    const type = typeOf(name);
    if (type.kind === "struct") for (const field of type.fields.values()) if (field.type) fields++;
  }
  expect(fields).toBeGreaterThan(4000);
});

test("embedded structs are flattened and aliases resolved", () => {
  const volume = structOf("io.k8s.api.core.v1.PersistentVolumeSpec").fields;
  expect(volume.get("nfs")!.type.kind).toBe("struct");
  expect(volume.get("accessModes")!.type).toMatchObject({ kind: "list", item: { kind: "scalar", scalar: "string", go: "v1.PersistentVolumeAccessMode" } });
  const resources = structOf("io.k8s.api.core.v1.ResourceRequirements").fields.get("limits")!;
  expect(resources.type).toMatchObject({ kind: "map", value: { kind: "quantity" }, go: "v1.ResourceList" });
  expect([...structOf("io.k8s.api.apps.v1.ReplicaSet").fields.keys()]).toEqual(["kind", "apiVersion", "metadata", "spec", "status"]);
});

test("kinds that marshal themselves", () => {
  const kinds = ["api.resource.Quantity", "util.intstr.IntOrString", "apis.meta.v1.Time", "apis.meta.v1.MicroTime", "runtime.RawExtension"].map((name) => typeOf(`io.k8s.apimachinery.pkg.${name}`).kind);
  expect(kinds).toEqual(["quantity", "intOrString", "time", "microTime", "any"]);
  expect(structOf("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps").fields.get("items")!.type.kind).toBe("union");
});

test("patch strategies and merge keys", () => {
  const pod = structOf("io.k8s.api.core.v1.PodSpec").fields;
  expect(pod.get("containers")).toMatchObject({ patchMergeKey: "name", patchStrategy: ["merge"], ptr: false });
  expect(pod.get("volumes")!.patchStrategy).toEqual(["merge", "retainKeys"]);
});

test("there is one struct per name, and none for a name that isn't there", () => {
  expect(structOf("io.k8s.api.core.v1.Pod")).toBe(structOf("io.k8s.api.core.v1.Pod"));
  expect(structOf("io.k8s.api.core.v1.Pod")).toBeInstanceOf(StructType);
  expect(hasType("io.k8s.api.core.v1.Nope")).toBe(false);
  expect(() => typeOf("io.k8s.api.core.v1.Nope")).toThrow("no type");
});
