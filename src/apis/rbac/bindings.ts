import { semanticEqual } from "../../apimachinery/equality.ts";
import { invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { ageColumn, nameColumn, type Column } from "../../apimachinery/resource.ts";
import { dns1123SubdomainErrors, pathSegmentErrors } from "../../apimachinery/validation/names.ts";
import type { RoleRef, Subject } from "../generated/rbac/v1.ts";
import { rbacGroup } from "./rules.ts";

/** What RoleBinding and ClusterRoleBinding share. */
export interface Binding extends KubeObject {
  subjects?: Subject[];
  roleRef: RoleRef;
}

export function defaultBinding(binding: Binding): void {
  binding.roleRef ??= { apiGroup: "", kind: "", name: "" };
  binding.roleRef.apiGroup ||= rbacGroup;
  for (const subject of binding.subjects ?? []) {
    if (subject.kind === "User" || subject.kind === "Group") subject.apiGroup ||= rbacGroup;
  }
}

export function validateBinding({ roleRef, subjects }: Frozen<Binding>, namespaced: boolean): FieldError[] {
  const errors: FieldError[] = [];
  const kinds = namespaced ? ["Role", "ClusterRole"] : ["ClusterRole"];
  if (roleRef.apiGroup !== rbacGroup) errors.push(notSupported("roleRef.apiGroup", roleRef.apiGroup, [rbacGroup]));
  if (!kinds.includes(roleRef.kind)) errors.push(notSupported("roleRef.kind", roleRef.kind ?? "", kinds));
  if (!roleRef.name) errors.push(required("roleRef.name"));
  else errors.push(...pathSegmentErrors(roleRef.name).map((message) => invalidValue("roleRef.name", roleRef.name, message)));
  return [...errors, ...(subjects ?? []).flatMap((subject, index) => validateSubject(subject, namespaced, `subjects[${index}]`))];
}

function validateSubject({ kind, apiGroup = "", name, namespace }: Frozen<Subject>, namespaced: boolean, field: string): FieldError[] {
  const errors: FieldError[] = name ? [] : [required(`${field}.name`)];
  if (kind === "ServiceAccount") {
    if (name) errors.push(...dns1123SubdomainErrors(name).map((message) => invalidValue(`${field}.name`, name, message)));
    if (apiGroup !== "") errors.push(notSupported(`${field}.apiGroup`, apiGroup, [""]));
    if (!namespaced && !namespace) errors.push(required(`${field}.namespace`));
  } else if (kind === "User" || kind === "Group") {
    if (apiGroup !== rbacGroup) errors.push(notSupported(`${field}.apiGroup`, apiGroup, [rbacGroup]));
  } else {
    errors.push(notSupported(`${field}.kind`, kind ?? "", ["ServiceAccount", "User", "Group"]));
  }
  return errors;
}

/** As messages show it: Go's internal form. */
const inside = ({ apiGroup = "", kind = "", name = "" }: Frozen<RoleRef>): object => ({ APIGroup: apiGroup, Kind: kind, Name: name });

/** A binding's role is fixed, so that the right to change its subjects is not the right to grant another role. */
export function validateBindingUpdate(binding: Frozen<Binding>, old: Frozen<Binding>, namespaced: boolean): FieldError[] {
  const errors = validateBinding(binding, namespaced);
  return semanticEqual(binding.roleRef, old.roleRef) ? errors : [...errors, invalidValue("roleRef", inside(binding.roleRef), "cannot change roleRef")];
}

export function bindingColumns<T extends Binding>(what: string): readonly Column<T>[] {
  return [
    nameColumn(),
    { name: "Role", type: "string", description: "RoleRef can only reference a ClusterRole in the global namespace. If the RoleRef cannot be resolved, the Authorizer must return an error.", value: ({ roleRef }) => `${roleRef.kind}/${roleRef.name}` },
    ageColumn(),
    { name: "Users", type: "string", priority: 1, description: `Users in the ${what}`, value: (binding) => subjectsOf(binding, "User") },
    { name: "Groups", type: "string", priority: 1, description: `Groups in the ${what}`, value: (binding) => subjectsOf(binding, "Group") },
    { name: "ServiceAccounts", type: "string", priority: 1, description: `ServiceAccounts in the ${what}`, value: (binding) => subjectsOf(binding, "ServiceAccount") },
  ];
}

function subjectsOf(binding: Frozen<Binding>, kind: string): string {
  const ofKind = (binding.subjects ?? []).filter((subject) => subject.kind === kind);
  return ofKind.map(({ namespace, name }) => (kind === "ServiceAccount" ? `${namespace ?? ""}/${name}` : name)).join(", ");
}
