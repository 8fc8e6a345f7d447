import { semanticEqual } from "../../apimachinery/equality.ts";
import { forbiddenField, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import type { VolumeAttributesClass } from "../generated/storage/v1.ts";
import { driver, validateParameters } from "./parameters.ts";
export type { VolumeAttributesClass } from "../generated/storage/v1.ts";

export const volumeattributesclasses = defineResource<VolumeAttributesClass>({
  group: "storage.k8s.io", version: "v1", kind: "VolumeAttributesClass", resource: "volumeattributesclasses", scope: "Cluster", shortNames: ["vac"],
  schema: "io.k8s.api.storage.v1.VolumeAttributesClass",
  strategy: {
    returnDeletedObject: true,
    validate,
    validateUpdate: (attributes, old) => [
      ...(attributes.driverName === old.driverName ? [] : [forbiddenField("driverName", "updates to driverName are forbidden.")]),
      ...(semanticEqual(attributes.parameters ?? {}, old.parameters ?? {}) ? [] : [forbiddenField("parameters", "updates to parameters are forbidden.")]),
      ...validate(attributes),
    ],
  },
  columns: [
    nameColumn(),
    { name: "DriverName", type: "string", description: "Name of the CSI driver This field is immutable.", value: ({ driverName }) => driverName ?? "" },
    ageColumn(),
  ],
  example: () => ({ apiVersion: "storage.k8s.io/v1", kind: "VolumeAttributesClass", metadata: { name: "example" }, driverName: "example.csi.example.com", parameters: { tier: "fast" } }),
});

function validate({ driverName, parameters }: Frozen<VolumeAttributesClass>): FieldError[] {
  return [...driver("driverName", driverName), ...validateParameters(parameters, false)];
}
