import { semanticEqual } from "../../apimachinery/equality.ts";
import { invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { compareQuantities } from "../../apimachinery/quantity.ts";
import { defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { validateLabelSelector } from "../../apimachinery/validation/label-selector.ts";
import { dnsSubdomain } from "../core/field-rules.ts";
import type { CSIStorageCapacity } from "../generated/storage/v1.ts";
import { createdAtColumn } from "../rbac/rules.ts";
import { selectorLabelWarnings } from "../node/deprecated-labels.ts";
export type { CSIStorageCapacity } from "../generated/storage/v1.ts";

export const csistoragecapacities = defineResource<CSIStorageCapacity>({
  group: "storage.k8s.io", version: "v1", kind: "CSIStorageCapacity", resource: "csistoragecapacities", scope: "Namespaced",
  schema: "io.k8s.api.storage.v1.CSIStorageCapacity",
  strategy: {
    validate,
    validateUpdate: (capacity, old) => [
      ...validate(capacity),
      ...(semanticEqual(capacity.nodeTopology, old.nodeTopology) ? [] : [invalidValue("nodeTopology", capacity.nodeTopology, "field is immutable")]),
      ...(capacity.storageClassName === old.storageClassName ? [] : [invalidValue("storageClassName", capacity.storageClassName ?? "", "field is immutable")]),
    ],
    warnings: ({ nodeTopology }) => selectorLabelWarnings("nodeTopology", nodeTopology),
    allowUnconditionalUpdate: false,
  },
  columns: [nameColumn(), createdAtColumn()],
  example: () => ({ apiVersion: "storage.k8s.io/v1", kind: "CSIStorageCapacity", metadata: { name: "example", namespace: "default" }, storageClassName: "example" }),
});

function validate({ nodeTopology, storageClassName, capacity }: Frozen<CSIStorageCapacity>): FieldError[] {
  return [
    ...validateLabelSelector(nodeTopology, "nodeTopology"),
    ...dnsSubdomain("storageClassName", storageClassName),
    ...(capacity !== undefined && compareQuantities(capacity, "0") < 0 ? [invalidValue("capacity", capacity, "must be greater than or equal to 0")] : []),
  ];
}
