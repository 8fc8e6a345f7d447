import { expect, test } from "bun:test";
import { persistentvolumeclaims, volumeattributesclasses } from "../../apis/builtins.ts";
import type { VolumeAttributesClass } from "../../apis/generated/storage/v1.ts";
import { startControlPlane } from "../../../test/support/control-plane.ts";
import { eventually } from "../../../test/support/eventually.ts";

test("a class goes once nobody uses it", async () => {
  await using plane = await startControlPlane({ select: ({ name }) => name === "vac-protection-controller" });
  const { client } = plane, merge = "application/merge-patch+json" as const;
  const names = (): string[] => plane.list<VolumeAttributesClass>(volumeattributesclasses).map(({ metadata }) => metadata.name!);
  for (const name of ["used", "unused"]) await client.create(volumeattributesclasses, { metadata: { name, finalizers: ["kubernetes.io/vac-protection"] }, driverName: "example.com", parameters: { a: "b" } });
  await client.create(persistentvolumeclaims, { ...persistentvolumeclaims.example!(), metadata: { name: "data", namespace: "default" } });
  const claim = { namespace: "default", name: "data" };
  await client.patch(persistentvolumeclaims, claim, { type: merge, body: { status: { currentVolumeAttributesClassName: "used" } } }, { subresource: "status" });

  for (const name of ["used", "unused"]) await client.delete(volumeattributesclasses, { name });
  await eventually(() => expect(names()).toEqual(["used"]));
  await client.patch(persistentvolumeclaims, claim, { type: merge, body: { status: { currentVolumeAttributesClassName: null } } }, { subresource: "status" });
  await eventually(() => expect(names()).toEqual([]));
});
