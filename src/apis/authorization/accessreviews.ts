import { forbiddenField, invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen, KubeObject, ObjectMeta } from "../../apimachinery/meta.ts";
import { defineResource, type ResourceCard } from "../../apimachinery/resource.ts";
import { labelKeyErrors } from "../../apimachinery/validation/names.ts";
import type { LocalSubjectAccessReview, NonResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SelfSubjectRulesReview, SubjectAccessReview, SubjectAccessReviewSpec } from "../generated/authorization/v1.ts";
export type { LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview } from "../generated/authorization/v1.ts";

/** Questions to the authorizer: answered in the response to their creation, never stored. */
function review<T extends KubeObject>(kind: string, scope: "Cluster" | "Namespaced", validate: (object: Frozen<T>) => FieldError[]): ResourceCard<T> {
  return defineResource<T>({
    group: "authorization.k8s.io", version: "v1", kind, resource: `${kind.toLowerCase()}s`, scope, verbs: ["create"],
    schema: `io.k8s.api.authorization.v1.${kind}`,
    strategy: { validate },
    invalidAs: { group: "authorization.k8s.io", kind: "" },
  });
}

export const selfsubjectaccessreviews = review<SelfSubjectAccessReview>("SelfSubjectAccessReview", "Cluster", ({ metadata, spec }) => [...validateAttributes(spec ?? {}), ...withoutMetadata(metadata, [])]);
export const selfsubjectrulesreviews = review<SelfSubjectRulesReview>("SelfSubjectRulesReview", "Cluster", () => []);
export const subjectaccessreviews = review<SubjectAccessReview>("SubjectAccessReview", "Cluster", ({ metadata, spec }) => [...validateSubject(spec ?? {}), ...withoutMetadata(metadata, [])]);
export const localsubjectaccessreviews = review<LocalSubjectAccessReview>("LocalSubjectAccessReview", "Namespaced", ({ metadata, spec }) => [
  ...validateSubject(spec ?? {}),
  ...withoutMetadata(metadata, ["namespace"]),
  ...(spec?.resourceAttributes && spec.resourceAttributes.namespace !== metadata.namespace
    ? [invalidValue("spec.resourceAttributes.namespace", spec.resourceAttributes.namespace ?? "", "must match metadata.namespace")] : []),
  ...(spec?.nonResourceAttributes ? [invalidValue("spec.nonResourceAttributes", inside(spec.nonResourceAttributes), "disallowed on this kind of request")] : []),
]);

function validateAttributes({ resourceAttributes, nonResourceAttributes }: Frozen<SelfSubjectAccessReviewSpec>): FieldError[] {
  if (resourceAttributes && nonResourceAttributes) return [invalidValue("spec.nonResourceAttributes", inside(nonResourceAttributes), "cannot be specified in combination with resourceAttributes")];
  if (!resourceAttributes && !nonResourceAttributes) return [invalidValue("spec.resourceAttributes", resourceAttributes, "exactly one of nonResourceAttributes or resourceAttributes must be specified")];
  const { fieldSelector, labelSelector } = resourceAttributes ?? {};
  return [...selectorErrors("fieldSelector", fieldSelector, required, (key) => (key ? [] : ["must be specified"])), ...selectorErrors("labelSelector", labelSelector, invalidKey, labelKeyErrors)];
}

/** A question has no name. */
function withoutMetadata(metadata: Frozen<ObjectMeta>, except: readonly string[]): FieldError[] {
  const given = Object.entries(metadata).filter(([field, value]) => !except.includes(field) && field !== "managedFields" && value !== undefined && value !== "");
  return given.length > 0 ? [invalidValue("metadata", metadata, except.length > 0 ? "must be empty except for namespace" : "must be empty")] : [];
}

/** As messages show it: Go's internal form. */
const inside = ({ path = "", verb = "" }: Frozen<NonResourceAttributes>): object => ({ Path: path, Verb: verb });

type Requirement = Frozen<{ key: string; operator: string; values?: string[] }>;
type KeyError = (field: string, detail: string, key: string) => FieldError;
const invalidKey: KeyError = (field, detail, key) => invalidValue(field, key, detail);

/** Operators that are not known here may be known to who asks. */
function selectorErrors(name: string, selector: Frozen<{ rawSelector?: string; requirements?: Requirement[] }> | undefined, keyError: KeyError, keyProblems: (key: string) => string[]): FieldError[] {
  if (!selector) return [];
  const field = `spec.resourceAttributes.${name}`, requirements = selector.requirements ?? [];
  return [
    ...(selector.rawSelector && requirements.length > 0 ? [invalidValue(`${field}.rawSelector`, selector.rawSelector, "may not specified at the same time as requirements")] : []),
    ...(!selector.rawSelector && requirements.length === 0 ? [required(`${field}.requirements`, `when ${field} is specified, requirements or rawSelector is required`)] : []),
    ...requirements.flatMap(({ key = "", operator, values = [] }, index) => {
      const at = `${field}.requirements[${index}]`, keys = keyProblems(key).map((detail) => keyError(`${at}.key`, detail, key));
      const listed = operator === "In" || operator === "NotIn", existence = operator === "Exists" || operator === "DoesNotExist";
      const wrong = [
        ...(listed && values.length === 0 ? [required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'")] : []),
        ...(existence && values.length > 0 ? [forbiddenField(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")] : []),
      ];
      // Kubernetes looks at the key first in one sort of selector, and last in the other.
      return name === "fieldSelector" ? [...keys, ...wrong] : [...wrong, ...keys];
    }),
  ];
}

function validateSubject(spec: Frozen<SubjectAccessReviewSpec>): FieldError[] {
  const errors = validateAttributes(spec);
  return !spec.user && !spec.groups?.length ? [...errors, invalidValue("spec.user", spec.user ?? "", "at least one of user or group must be specified")] : errors;
}
