import { invalidValue, notSupported, type FieldError } from "../apimachinery/field-errors.ts";
import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { AnyResource } from "../apimachinery/resource.ts";
import { conflict, invalid } from "../apimachinery/status.ts";
import type { DeleteOptions } from "../apis/generated/meta/v1.ts";

/** k8s.io/apimachinery/pkg/apis/meta/v1/validation ValidateDeleteOptions. */
export function validateDeleteOptions({ orphanDependents, propagationPolicy, dryRun }: DeleteOptions): void {
  const errors: FieldError[] = [];
  if (orphanDependents !== undefined && propagationPolicy !== undefined) {
    errors.push(invalidValue("propagationPolicy", propagationPolicy, "orphanDependents and deletionPropagation cannot be both set"));
  }
  const policies = ["Foreground", "Background", "Orphan"];
  if (propagationPolicy !== undefined && !policies.includes(propagationPolicy)) errors.push(notSupported("propagationPolicy", propagationPolicy, [...policies, "nil"]));
  if (dryRun?.some((value) => value !== "All")) errors.push(notSupported("dryRun", dryRun, ["All"]));
  if (errors.length) throw invalid({ group: "meta.k8s.io", kind: "DeleteOptions" }, "", errors);
}

/** 409 when the object is not the one the client has seen. */
export function checkDeletePreconditions(card: AnyResource, { metadata }: Frozen<KubeObject>, { preconditions }: DeleteOptions): void {
  const { uid, resourceVersion } = preconditions ?? {}, of = { group: card.group, resource: card.kind };
  if (uid !== undefined && uid !== metadata.uid) {
    throw conflict(of, metadata.name!, `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`);
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    throw conflict(of, metadata.name!, `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`);
  }
}
