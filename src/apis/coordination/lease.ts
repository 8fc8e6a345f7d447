import { forbiddenField, invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import type { Lease } from "../generated/coordination/v1.ts";
export type { Lease } from "../generated/coordination/v1.ts";

export const leases = defineResource<Lease>({
  group: "coordination.k8s.io", version: "v1", kind: "Lease", resource: "leases", scope: "Namespaced",
  schema: "io.k8s.api.coordination.v1.Lease",
  default(lease) {
    lease.spec ??= {};
  },
  strategy: {
    // Without a feature that is off by default, CoordinatedLeaderElection, these fields are dropped.
    prepareForCreate({ metadata, spec }) {
      delete metadata.generation;
      delete spec.strategy;
      delete spec.preferredHolder;
    },
    prepareForUpdate({ spec }, { spec: old }) {
      if (old.strategy === undefined) delete spec.strategy;
      if (old.preferredHolder === undefined) delete spec.preferredHolder;
    },
    validate, validateUpdate: (lease) => validate(lease),
    allowCreateOnUpdate: true, allowUnconditionalUpdate: false,
  },
  columns: [
    nameColumn(),
    { name: "Holder", type: "string", description: "holderIdentity contains the identity of the holder of a current lease. If Coordinated Leader Election is used, the holder identity must be equal to the elected LeaseCandidate.metadata.name field.", value: (lease) => lease.spec.holderIdentity ?? "" },
    ageColumn(),
  ],
  example: () => ({ apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "example", namespace: "default" }, spec: {} }),
});

function validate({ spec }: Frozen<Lease>): FieldError[] {
  const errors: FieldError[] = [];
  if (spec.leaseDurationSeconds !== undefined && spec.leaseDurationSeconds <= 0) errors.push(invalidValue("spec.leaseDurationSeconds", spec.leaseDurationSeconds, "must be greater than 0"));
  if (spec.leaseTransitions !== undefined && spec.leaseTransitions < 0) errors.push(invalidValue("spec.leaseTransitions", spec.leaseTransitions, "must be greater than or equal to 0"));
  if (spec.preferredHolder && !spec.strategy) errors.push(forbiddenField("spec.preferredHolder", "may only be specified if `strategy` is defined"));
  return errors;
}
