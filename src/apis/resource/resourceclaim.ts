import type { FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { validateImmutableField } from "../../apimachinery/validation/object-meta.ts";
import type { DeviceClaim, ResourceClaim } from "../generated/resource/v1.ts";
import { validateClaimStatus } from "./claim-status-validation.ts";
import { defaultRequests, validateDeviceClaim } from "./claim-validation.ts";
export type { ResourceClaim } from "../generated/resource/v1.ts";

export const resourceclaims = defineResource<ResourceClaim>({
  group: "resource.k8s.io", version: "v1", kind: "ResourceClaim", resource: "resourceclaims", scope: "Namespaced", subresources: { status: true },
  schema: "io.k8s.api.resource.v1.ResourceClaim",
  default(claim) {
    const spec: Partial<ResourceClaim["spec"]> = (claim.spec ??= {} as ResourceClaim["spec"]);
    defaultRequests(spec.devices ??= {} as DeviceClaim);
    claim.status ??= {};
  },
  strategy: {
    resetFields: { status: [["metadata"], ["spec"]] },
    prepareForCreate(claim) {
      delete claim.metadata.generation;
      claim.status = {};
    },
    validate: ({ spec }): FieldError[] => validateDeviceClaim("spec.devices", spec.devices ?? {}),
    validateUpdate: ({ spec }, old) => validateImmutableField(spec, old.spec, "spec"),
    validateStatusUpdate: validateClaimStatus,
    returnDeletedObject: true,
  },
  columns: [
    nameColumn(),
    { name: "State", type: "string", description: "A summary of the current state (allocated, pending, reserved, etc.).", value: stateOf },
    ageColumn(),
  ],
  example: () => ({
    apiVersion: "resource.k8s.io/v1", kind: "ResourceClaim", metadata: { name: "example", namespace: "default" },
    spec: { devices: { requests: [{ name: "device", exactly: { deviceClassName: "example" } }] } },
  }),
});

function stateOf({ metadata: { deletionTimestamp }, status = {} }: Frozen<ResourceClaim>): string {
  const states = deletionTimestamp ? ["deleted"] : [];
  if (status.allocation) states.push("allocated", ...(status.reservedFor?.length ? ["reserved"] : []));
  else if (!deletionTimestamp) states.push("pending");
  return states.join(",");
}
