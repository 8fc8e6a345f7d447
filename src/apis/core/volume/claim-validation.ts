import { semanticEqual } from "../../../apimachinery/equality.ts";
import { forbiddenField, invalidValue, notSupported, required, type FieldError } from "../../../apimachinery/field-errors.ts";
import { thaw, type Frozen } from "../../../apimachinery/meta.ts";
import { compareQuantities } from "../../../apimachinery/quantity.ts";
import { validateLabelSelector } from "../../../apimachinery/validation/label-selector.ts";
import { qualifiedNameErrors } from "../../../apimachinery/validation/names.ts";
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec, TypedObjectReference } from "../../generated/core/v1.ts";
import { changedFields } from "../changed-fields.ts";
import { dnsLabel, dnsSubdomain, given } from "../field-rules.ts";
import { basicAmount, isNativeResource, positiveAmount, resourceAmount } from "../resource-names.ts";
import { betaStorageClass, validateAccessModes, volumeModes } from "./access-modes.ts";

/** Also of the claims that ephemeral volumes and StatefulSets make. */
export function validateClaimSpec(field: string, spec: Frozen<PersistentVolumeClaimSpec>): FieldError[] {
  const { accessModes = [], selector, volumeMode, dataSource, dataSourceRef } = spec;
  const errors = accessModes.length === 0 ? [required(`${field}.accessModes`, "at least 1 access mode is required")] : [];
  errors.push(...validateLabelSelector(selector, `${field}.selector`), ...validateAccessModes(`${field}.accessModes`, accessModes));
  errors.push(...validateStorage(`${field}.resources[storage]`, spec.resources?.requests?.["storage"]));
  errors.push(...given(spec.storageClassName, (name) => dnsSubdomain(`${field}.storageClassName`, name)));
  if (volumeMode !== undefined && !volumeModes.includes(volumeMode)) errors.push(notSupported(`${field}.volumeMode`, volumeMode, volumeModes));
  if (dataSource) errors.push(...validateSource(`${field}.dataSource`, dataSource));
  if (dataSourceRef) errors.push(...validateSource(`${field}.dataSourceRef`, dataSourceRef));
  if (dataSource && dataSourceRef) {
    // Kubernetes shows the field's path here, which prints as an empty object.
    const same = dataSource.kind === dataSourceRef.kind && dataSource.name === dataSourceRef.name && dataSource.apiGroup === dataSourceRef.apiGroup;
    if (dataSourceRef.namespace) errors.push(invalidValue(field, {}, "may not be specified when dataSourceRef.namespace is specified"));
    else if (!same) errors.push(invalidValue(field, {}, "must match dataSourceRef"));
  }
  return [...errors, ...given(spec.volumeAttributesClassName, (name) => dnsSubdomain(`${field}.volumeAttributesClassName`, name))];
}

function validateStorage(field: string, amount: string | number | undefined): FieldError[] {
  if (amount === undefined) return [required(field)];
  const wrong = positiveAmount(field, amount);
  return wrong.length > 0 ? wrong : resourceAmount(field, "storage", amount);
}

function validateSource(field: string, { name, kind = "", apiGroup, namespace }: Frozen<TypedObjectReference>): FieldError[] {
  return [
    ...(name ? [] : [required(`${field}.name`)]),
    ...(kind ? [] : [required(`${field}.kind`)]),
    ...(!apiGroup && kind !== "PersistentVolumeClaim" ? [invalidValue(field, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup")] : []),
    ...given(apiGroup, (group) => dnsSubdomain(`${field}.apiGroup`, group)),
    ...given(namespace, (value) => dnsLabel(`${field}.namespace`, value)),
  ];
}

/** A claim is a promise: only its size, its attributes class and, once, its volume and storage class may change. */
export function validateClaimUpdate(claim: Frozen<PersistentVolumeClaim>, old: Frozen<PersistentVolumeClaim>): FieldError[] {
  const errors = validateClaimSpec("spec", claim.spec ?? {});
  const was = thaw<PersistentVolumeClaimSpec>(old.spec ?? {}), wanted = thaw<PersistentVolumeClaimSpec>(claim.spec ?? {});
  if (!was.volumeName) was.volumeName = wanted.volumeName;
  errors.push(...levelStorageClass(claim, old, wanted));
  if (claim.status?.phase === "Bound") {
    if (wanted.resources?.requests) wanted.resources.requests["storage"] = was.resources?.requests?.["storage"] ?? "0";
    wanted.volumeAttributesClassName = was.volumeAttributesClassName;
  }
  if (!semanticEqual(wanted, was)) {
    errors.push(forbiddenField("spec", `spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n${changedFields(wanted, was)}`));
  }
  return [...errors, ...validateSizeAndClass(claim, old)];
}

/** A storage class may move from the annotation of old to its field, and be filled in where none was named. */
function levelStorageClass(claim: Frozen<PersistentVolumeClaim>, old: Frozen<PersistentVolumeClaim>, wanted: PersistentVolumeClaimSpec): FieldError[] {
  const before = old.metadata.annotations?.[betaStorageClass], after = claim.metadata.annotations?.[betaStorageClass];
  const name = claim.spec?.storageClassName, was = old.spec?.storageClassName;
  if (was === undefined && name !== undefined && (before === undefined || before === name)) delete wanted.storageClassName;
  if (before !== undefined && was === undefined && name === before && (after === undefined || after === before)) return [];
  return (after ?? "") === (before ?? "") ? [] : [invalidValue(`metadata.annotations.${betaStorageClass}`, after ?? "", "field is immutable")];
}

function validateSizeAndClass({ spec }: Frozen<PersistentVolumeClaim>, old: Frozen<PersistentVolumeClaim>): FieldError[] {
  const errors: FieldError[] = [];
  const size = spec?.resources?.requests?.["storage"] ?? "0", oldSize = old.spec?.resources?.requests?.["storage"] ?? "0";
  if (compareQuantities(size, oldSize) < 0 && compareQuantities(size, old.status?.capacity?.["storage"] ?? "0") <= 0) {
    errors.push(forbiddenField("spec.resources.requests.storage", "field can not be less than status.capacity"));
  }
  if (spec?.volumeMode !== old.spec?.volumeMode) errors.push(invalidValue("volumeMode", spec?.volumeMode, "field is immutable"));
  const attributes = spec?.volumeAttributesClassName;
  if (attributes !== old.spec?.volumeAttributesClassName && old.status?.currentVolumeAttributesClassName !== undefined && !attributes) {
    errors.push(forbiddenField("spec.volumeAttributesClassName", `update to ${attributes === undefined ? "nil" : "empty string"} is forbidden when status.currentVolumeAttributesClassName is not nil`));
  }
  return errors;
}

const resizeStatuses = ["ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible", "NodeResizePending"].toSorted();

export function validateClaimStatusUpdate({ spec, status }: Frozen<PersistentVolumeClaim>): FieldError[] {
  const errors = spec?.accessModes?.length ? [] : [required("Spec.accessModes")];
  for (const [name, amount] of Object.entries(status?.capacity ?? {})) errors.push(...basicAmount(`status.capacity[${name}]`, amount));
  for (const [name, state] of Object.entries(status?.allocatedResourceStatuses ?? {})) {
    errors.push(...claimResourceName("status.allocatedResourceStatuses", name));
    if (!resizeStatuses.includes(state)) errors.push(notSupported("status.allocatedResourceStatuses", name, resizeStatuses));
  }
  for (const [name, amount] of Object.entries(status?.allocatedResources ?? {})) {
    const at = `status.allocatedResources[${name}]`, wrongName = claimResourceName("status.allocatedResources", name), wrong = basicAmount(at, amount);
    errors.push(...(wrongName.length > 0 ? wrongName : wrong.length > 0 ? wrong : resourceAmount(at, "storage", amount)));
  }
  return errors;
}

function claimResourceName(field: string, name: string): FieldError[] {
  const errors = qualifiedNameErrors(name).map((message) => invalidValue(field, name, message));
  return errors.length === 0 && isNativeResource(name) && name !== "storage" ? [notSupported(field, name, ["storage"])] : errors;
}
