import { invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { qualifiedNameErrors } from "../../apimachinery/validation/names.ts";
import type { DeviceClass } from "../generated/resource/v1.ts";
import { validateConfigurations, validateSelectors } from "./claim-validation.ts";
export type { DeviceClass } from "../generated/resource/v1.ts";

export const deviceclasses = defineResource<DeviceClass>({
  group: "resource.k8s.io", version: "v1", kind: "DeviceClass", resource: "deviceclasses", scope: "Cluster",
  schema: "io.k8s.api.resource.v1.DeviceClass",
  default(deviceClass) {
    deviceClass.spec ??= {};
  },
  strategy: { validate, validateUpdate: (deviceClass) => validate(deviceClass), returnDeletedObject: true },
  columns: [nameColumn(), ageColumn()],
  example: () => ({ apiVersion: "resource.k8s.io/v1", kind: "DeviceClass", metadata: { name: "example" }, spec: {} }),
});

function validate({ spec: { selectors, config, extendedResourceName: name } }: Frozen<DeviceClass>): FieldError[] {
  return [
    ...validateSelectors("spec.selectors", selectors),
    ...validateConfigurations("spec.config", config),
    ...(name === undefined || isExtendedResource(name) ? [] : [invalidValue("spec.extendedResourceName", name, "must be a valid extended resource name")]),
  ];
}

/** A resource with a domain that is not Kubernetes' own. */
const isExtendedResource = (name: string): boolean =>
  name.includes("/") && !name.includes("kubernetes.io/") && !name.startsWith("requests.") && qualifiedNameErrors(`requests.${name}`).length === 0;
