import type { FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { validateImmutableField } from "../../apimachinery/validation/object-meta.ts";
import { validateTemplateMetadata } from "../core/template-metadata.ts";
import type { DeviceClaim, ResourceClaimSpec, ResourceClaimTemplate } from "../generated/resource/v1.ts";
import { defaultRequests, validateDeviceClaim } from "./claim-validation.ts";
export type { ResourceClaimTemplate } from "../generated/resource/v1.ts";

export const resourceclaimtemplates = defineResource<ResourceClaimTemplate>({
  group: "resource.k8s.io", version: "v1", kind: "ResourceClaimTemplate", resource: "resourceclaimtemplates", scope: "Namespaced",
  schema: "io.k8s.api.resource.v1.ResourceClaimTemplate",
  default(template) {
    const spec: Partial<ResourceClaimTemplate["spec"]> = (template.spec ??= {} as ResourceClaimTemplate["spec"]);
    const claim: Partial<ResourceClaimSpec> = (spec.spec ??= {} as ResourceClaimSpec);
    defaultRequests(claim.devices ??= {} as DeviceClaim);
    spec.metadata ??= {};
  },
  strategy: {
    prepareForCreate(template) {
      delete template.metadata.generation;
    },
    validate,
    validateUpdate: (template, old) => [...validate(template), ...validateImmutableField(template.spec, old.spec, "spec")],
    returnDeletedObject: true,
  },
  columns: [nameColumn(), ageColumn()],
  example: () => ({
    apiVersion: "resource.k8s.io/v1", kind: "ResourceClaimTemplate", metadata: { name: "example", namespace: "default" },
    spec: { spec: { devices: { requests: [{ name: "device", exactly: { deviceClassName: "example" } }] } } },
  }),
});

function validate({ spec: { metadata, spec } }: Frozen<ResourceClaimTemplate>): FieldError[] {
  return [
    ...validateTemplateMetadata("spec.metadata", metadata),
    ...validateDeviceClaim("spec.spec.devices", spec?.devices ?? {}),
  ];
}
