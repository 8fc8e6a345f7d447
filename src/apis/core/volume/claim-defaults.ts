import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from "../../generated/core/v1.ts";
import { roundAmounts } from "../round-amounts.ts";

/** Also of the claims that StatefulSets make. */
export function defaultClaim(claim: PersistentVolumeClaim): void {
  defaultClaimSpec(claim.spec ??= {});
  const status = (claim.status ??= {});
  status.phase ||= "Pending";
  roundAmounts(status.capacity);
  roundAmounts(status.allocatedResources);
}

export function defaultClaimSpec(spec: PersistentVolumeClaimSpec): void {
  spec.volumeMode ??= "Filesystem";
  spec.resources ??= {};
  roundAmounts(spec.resources.requests);
  roundAmounts(spec.resources.limits);
}
