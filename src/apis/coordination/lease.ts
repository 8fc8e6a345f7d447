import { forbiddenField, invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import { semanticEqual } from "../../apimachinery/equality.ts";
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
    isVolatile: onlyRenews,
    allowCreateOnUpdate: true, allowUnconditionalUpdate: false,
  },
  columns: [
    nameColumn(),
    { name: "Holder", type: "string", description: "holderIdentity contains the identity of the holder of a current lease. If Coordinated Leader Election is used, the holder identity must be equal to the elected LeaseCandidate.metadata.name field.", value: (lease) => lease.spec.holderIdentity ?? "" },
    ageColumn(),
  ],
  example: () => ({ apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "example", namespace: "default" }, spec: {} }),
});

/** Who holds the lease is known after a crash; that it was renewed is said again soon, or never. */
function onlyRenews(lease: Frozen<Lease> | undefined, old: Frozen<Lease> | undefined): boolean {
  if (!lease || !old) return false;
  const told = ({ metadata: { labels, annotations, ownerReferences, finalizers, deletionTimestamp }, spec }: Frozen<Lease>) => [{ ...spec, renewTime: "" }, labels, annotations, ownerReferences, finalizers, deletionTimestamp];
  return semanticEqual(told(lease), told(old));
}

function validate({ spec }: Frozen<Lease>): FieldError[] {
  const errors: FieldError[] = [];
  if (spec.leaseDurationSeconds !== undefined && spec.leaseDurationSeconds <= 0) errors.push(invalidValue("spec.leaseDurationSeconds", spec.leaseDurationSeconds, "must be greater than 0"));
  if (spec.leaseTransitions !== undefined && spec.leaseTransitions < 0) errors.push(invalidValue("spec.leaseTransitions", spec.leaseTransitions, "must be greater than or equal to 0"));
  if (spec.preferredHolder && !spec.strategy) errors.push(forbiddenField("spec.preferredHolder", "may only be specified if `strategy` is defined"));
  return errors;
}
