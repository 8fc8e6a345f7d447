import { semanticEqual } from "../../apimachinery/equality.ts";
import { duplicate, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { validateImmutableField } from "../../apimachinery/validation/object-meta.ts";
import { labelName } from "../core/field-rules.ts";
import type { TopologySelectorTerm } from "../generated/core/v1.ts";
import type { StorageClass } from "../generated/storage/v1.ts";
import { driver, validateParameters } from "./parameters.ts";
import { deprecatedLabelWarning } from "../node/deprecated-labels.ts";
export type { StorageClass } from "../generated/storage/v1.ts";

export const storageclasses = defineResource<StorageClass>({
  group: "storage.k8s.io", version: "v1", kind: "StorageClass", resource: "storageclasses", scope: "Cluster", shortNames: ["sc"],
  schema: "io.k8s.api.storage.v1.StorageClass",
  default(storageClass) {
    storageClass.reclaimPolicy ??= "Delete";
    storageClass.volumeBindingMode ??= "Immediate";
  },
  strategy: {
    returnDeletedObject: true,
    validate,
    validateUpdate: (storageClass, old) => [
      ...validate(storageClass),
      ...validateImmutableField(storageClass.parameters ?? {}, old.parameters ?? {}, "parameters"),
      ...validateImmutableField(storageClass.provisioner ?? "", old.provisioner ?? "", "provisioner"),
      ...validateImmutableField(storageClass.reclaimPolicy, old.reclaimPolicy, "reclaimPolicy"),
      ...validateImmutableField(storageClass.volumeBindingMode, old.volumeBindingMode, "volumeBindingMode"),
    ],
    warnings: ({ allowedTopologies = [] }) => allowedTopologies.flatMap(({ matchLabelExpressions = [] }, term) =>
      matchLabelExpressions.flatMap(({ key }, index) => deprecatedLabelWarning(`allowedTopologies[${term}].matchLabelExpressions[${index}].key`, key))),
  },
  columns: [
    { ...nameColumn<StorageClass>(), value: ({ metadata }) => `${metadata.name ?? ""}${isDefault(metadata.annotations) ? " (default)" : ""}` },
    { name: "Provisioner", type: "string", description: "provisioner indicates the type of the provisioner.", value: ({ provisioner }) => provisioner ?? "" },
    { name: "ReclaimPolicy", type: "string", description: "reclaimPolicy controls the reclaimPolicy for dynamically provisioned PersistentVolumes of this storage class. Defaults to Delete.", value: ({ reclaimPolicy }) => reclaimPolicy ?? "Delete" },
    { name: "VolumeBindingMode", type: "string", description: "volumeBindingMode indicates how PersistentVolumeClaims should be provisioned and bound.  When unset, VolumeBindingImmediate is used. This field is only honored by servers that enable the VolumeScheduling feature.", value: ({ volumeBindingMode }) => volumeBindingMode ?? "Immediate" },
    { name: "AllowVolumeExpansion", type: "string", description: "allowVolumeExpansion shows whether the storage class allow volume expand.", value: ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false },
    ageColumn(),
  ],
  example: () => ({ apiVersion: "storage.k8s.io/v1", kind: "StorageClass", metadata: { name: "example" }, provisioner: "example.com/provisioner" }),
});

const isDefault = (annotations: Readonly<Record<string, string>> = {}): boolean =>
  ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"].some((key) => annotations[key] === "true");

function validate({ provisioner, parameters, reclaimPolicy, volumeBindingMode, allowedTopologies = [] }: Frozen<StorageClass>): FieldError[] {
  const errors = [...driver("provisioner", provisioner), ...validateParameters(parameters, true)];
  if (reclaimPolicy && reclaimPolicy !== "Delete" && reclaimPolicy !== "Retain") errors.push(notSupported("reclaimPolicy", reclaimPolicy, ["Delete", "Retain"]));
  const modes = ["Immediate", "WaitForFirstConsumer"];
  if (volumeBindingMode === undefined) errors.push(required("volumeBindingMode"));
  else if (!modes.includes(volumeBindingMode)) errors.push(notSupported("volumeBindingMode", volumeBindingMode, modes));
  return [...errors, ...validateTopologies(allowedTopologies)];
}

function validateTopologies(terms: readonly Frozen<TopologySelectorTerm>[]): FieldError[] {
  const valuesOf = ({ matchLabelExpressions = [] }: Frozen<TopologySelectorTerm>): unknown => Object.fromEntries(matchLabelExpressions.map(({ key, values = [] }) => [key, [...new Set(values)].toSorted()]));
  const shapes = terms.map(valuesOf);
  return terms.flatMap(({ matchLabelExpressions = [] }, term) => {
    const field = `allowedTopologies[${term}].matchLabelExpressions`;
    const keys = matchLabelExpressions.map(({ key }) => key);
    const errors = matchLabelExpressions.flatMap(({ key, values = [] }, index) => [
      ...(values.length === 0 ? [required(`${field}[${index}].values`)] : []),
      ...values.flatMap((value, at) => (values.indexOf(value) < at ? [duplicate(`${field}[${index}].values[${at}]`, value)] : [])),
      ...labelName(`${field}[${index}].key`, key),
      ...(keys.indexOf(key) < index ? [duplicate(`${field}[${index}].key`, key)] : []),
    ]);
    const same = shapes.slice(0, term).filter((shape) => semanticEqual(shape, shapes[term]));
    return [...errors, ...same.map(() => duplicate(field, ""))];
  });
}
