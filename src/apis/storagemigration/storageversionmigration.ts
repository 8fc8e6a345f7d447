import { invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { validateConditions } from "../../apimachinery/validation/conditions.ts";
import { dns1035LabelErrors, dns1123SubdomainErrors } from "../../apimachinery/validation/names.ts";
import { immutableMessage, validateImmutableField } from "../../apimachinery/validation/object-meta.ts";
import type { GroupResource } from "../generated/meta/v1.ts";
import { keepMetadata } from "../status-metadata.ts";
import type { StorageVersionMigration } from "../generated/storagemigration/v1beta1.ts";
export type { StorageVersionMigration } from "../generated/storagemigration/v1beta1.ts";

type Migration = Frozen<StorageVersionMigration>;
export type MigrationConditionType = "Running" | "Succeeded" | "Failed";

export const hasCondition = ({ status }: Migration, type: MigrationConditionType): boolean => status?.conditions?.some((condition) => condition.type === type && condition.status === "True") ?? false;

/** `crontabs.stable.example.com`, or `pods`. */
export const groupResourceText = ({ group, resource }: Frozen<GroupResource>): string => (group ? `${resource}.${group}` : resource);

/** Asks for all objects of a resource to be stored in its current version. Served with the feature StorageVersionMigrator. */
export const storageversionmigrations = defineResource<StorageVersionMigration>({
  group: "storagemigration.k8s.io", version: "v1beta1", kind: "StorageVersionMigration", resource: "storageversionmigrations", scope: "Cluster",
  subresources: { status: true },
  schema: "io.k8s.api.storagemigration.v1beta1.StorageVersionMigration",
  default(migration) {
    migration.spec ??= { resource: { group: "", resource: "" } };
    migration.spec.resource ??= { group: "", resource: "" };
    migration.status ??= {};
  },
  strategy: {
    allowUnconditionalUpdate: false,
    resetFields: { "": [["status"]], status: [["metadata"], ["spec"]] },
    prepareForCreate(migration) {
      delete migration.metadata.generation;
      migration.status = {};
    },
    prepareForStatusUpdate: keepMetadata,
    validate: validateSpec,
    validateUpdate: (migration, old) => [...validateSpec(migration), ...validateImmutableField(shown(migration), shown(old), "spec")],
    validateStatusUpdate: validateStatus,
  },
  columns: [
    { ...nameColumn<StorageVersionMigration>(), format: "" },
    { name: "Resource", type: "string", description: "GroupResource to migrate", value: ({ spec }) => groupResourceText(spec.resource) },
    { name: "Status", type: "string", description: "Status of the migration", value: ({ status }) => status?.conditions?.findLast((condition) => condition.status === "True" && ["Running", "Succeeded", "Failed"].includes(condition.type))?.type ?? "Unknown" },
  ],
  example: (name = "example") => ({ apiVersion: "storagemigration.k8s.io/v1beta1", kind: "StorageVersionMigration", metadata: { name }, spec: { resource: { group: "", resource: "secrets" } }, status: {} }),
});

/** As Kubernetes shows what was refused: its internal type has another name for the field. */
const shown = ({ spec: { resource } }: Migration): object => ({ Resource: resource });

function validateSpec({ spec: { resource: { group, resource } } }: Migration): FieldError[] {
  const errors: FieldError[] = [], field = "spec.resource";
  const check = (name: string, value: string, found: readonly string[]): void => {
    if (found.length > 0) errors.push(invalidValue(`${field}.${name}`, value, found.join(",")));
  };
  if (resource) check("resource", resource, dns1035LabelErrors(resource));
  else errors.push(required(`${field}.resource`, "resource is required to be set"));
  if (group) check("group", group, dns1123SubdomainErrors(group));
  return errors;
}

function validateStatus(migration: Migration, old: Migration): FieldError[] {
  const version = migration.status?.resourceVersion ?? "", before = old.status?.resourceVersion ?? "", conditions = migration.status?.conditions;
  const refused = (detail: string): FieldError => invalidValue("status.conditions", conditions ?? null, detail);
  return [
    ...(version === "" || /^[1-9]\d*$/.test(version) ? [] : [invalidValue("status.resourceVersion", version, `resource version is not well formed: ${version}`)]),
    ...validateConditions(conditions, "status.conditions"),
    ...(before !== "" && before !== version ? [invalidValue("status.resourceVersion", version, immutableMessage)] : []),
    ...(hasCondition(migration, "Succeeded") && hasCondition(migration, "Failed") ? [refused("Both success and failed conditions cannot be true at the same time")] : []),
    ...(hasCondition(old, "Succeeded") && !hasCondition(migration, "Succeeded") ? [refused("Success condition cannot be set to false once it is true")] : []),
    ...(hasCondition(old, "Failed") && !hasCondition(migration, "Failed") ? [refused("Failed condition cannot be set to false once it is true")] : []),
  ];
}
