import { semanticEqual } from "../../apimachinery/equality.ts";
import { invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { isObject } from "../../apimachinery/own.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import type { ControllerRevision } from "../generated/apps/v1.ts";
import { nonNegative } from "../core/field-rules.ts";

export const controllerrevisions = defineResource<ControllerRevision>({
  group: "apps", version: "v1", kind: "ControllerRevision", resource: "controllerrevisions", scope: "Namespaced",
  schema: "io.k8s.api.apps.v1.ControllerRevision",
  strategy: { validate, validateUpdate },
  columns: [
    nameColumn(),
    { name: "Controller", type: "string", description: "Controller of the object", value: controllerOf },
    { name: "Revision", type: "string", description: "Revision indicates the revision of the state represented by Data.", value: ({ revision }) => revision ?? 0 },
    ageColumn(),
  ],
  example: () => ({ apiVersion: "apps/v1", kind: "ControllerRevision", metadata: { name: "example", namespace: "default" }, revision: 1, data: { spec: {} } }),
});

/** `statefulset.apps/web`. */
function controllerOf({ metadata }: Frozen<ControllerRevision>): string {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller);
  if (!owner) return "<none>";
  const group = owner.apiVersion.includes("/") ? `.${owner.apiVersion.split("/", 1)[0]}` : "";
  return `${owner.kind}${group}`.toLowerCase() + `/${owner.name}`;
}

function validate({ revision, data }: Frozen<ControllerRevision>): FieldError[] {
  const errors = nonNegative("revision", revision);
  if (data === undefined || data === null) errors.push(required("data", "data is mandatory"));
  else if (!isObject(data)) errors.push(required("data", "data must be a valid JSON object"));
  return errors;
}

function validateUpdate({ revision, data }: Frozen<ControllerRevision>, old: Frozen<ControllerRevision>): FieldError[] {
  return [...nonNegative("revision", revision), ...(semanticEqual(data, old.data) ? [] : [invalidValue("data", data, "field is immutable")])];
}
