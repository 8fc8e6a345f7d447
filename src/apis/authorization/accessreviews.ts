import { invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { defineResource, type ResourceCard } from "../../apimachinery/resource.ts";
import type { LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SelfSubjectRulesReview, SubjectAccessReview, SubjectAccessReviewSpec } from "../generated/authorization/v1.ts";
export type { LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview } from "../generated/authorization/v1.ts";

/** Questions to the authorizer: answered in the response to their creation, never stored. */
function review<T extends KubeObject>(kind: string, scope: "Cluster" | "Namespaced", validate: (object: Frozen<T>) => FieldError[]): ResourceCard<T> {
  return defineResource<T>({
    group: "authorization.k8s.io", version: "v1", kind, resource: `${kind.toLowerCase()}s`, scope, verbs: ["create"],
    schema: `io.k8s.api.authorization.v1.${kind}`,
    strategy: { validate },
  });
}

export const selfsubjectaccessreviews = review<SelfSubjectAccessReview>("SelfSubjectAccessReview", "Cluster", ({ spec }) => validateAttributes(spec ?? {}));
export const selfsubjectrulesreviews = review<SelfSubjectRulesReview>("SelfSubjectRulesReview", "Cluster", () => []);
export const subjectaccessreviews = review<SubjectAccessReview>("SubjectAccessReview", "Cluster", ({ spec }) => validateSubject(spec ?? {}));
export const localsubjectaccessreviews = review<LocalSubjectAccessReview>("LocalSubjectAccessReview", "Namespaced", ({ metadata, spec }) => [
  ...validateSubject(spec ?? {}),
  ...(spec?.resourceAttributes && spec.resourceAttributes.namespace !== metadata.namespace
    ? [invalidValue("spec.resourceAttributes.namespace", spec.resourceAttributes.namespace, "must match metadata.namespace")] : []),
  ...(spec?.nonResourceAttributes ? [invalidValue("spec.nonResourceAttributes", spec.nonResourceAttributes, "disallowed on this kind of request")] : []),
]);

function validateAttributes({ resourceAttributes, nonResourceAttributes }: Frozen<SelfSubjectAccessReviewSpec>): FieldError[] {
  if (resourceAttributes && nonResourceAttributes) return [invalidValue("spec.nonResourceAttributes", nonResourceAttributes, "cannot be specified in combination with resourceAttributes")];
  if (!resourceAttributes && !nonResourceAttributes) return [invalidValue("spec.resourceAttributes", resourceAttributes, "exactly one of nonResourceAttributes or resourceAttributes must be specified")];
  return [...selectorErrors("fieldSelector", resourceAttributes?.fieldSelector), ...selectorErrors("labelSelector", resourceAttributes?.labelSelector)];
}

function selectorErrors(name: string, selector: Frozen<{ rawSelector?: string; requirements?: unknown[] }> | undefined): FieldError[] {
  if (!selector) return [];
  const field = `spec.resourceAttributes.${name}`, stated = selector.requirements?.length ?? 0;
  if (selector.rawSelector && stated > 0) return [invalidValue(`${field}.rawSelector`, selector.rawSelector, "may not specified at the same time as requirements")];
  return !selector.rawSelector && stated === 0 ? [required(`${field}.requirements`, `when ${field} is specified, requirements or rawSelector is required`)] : [];
}

function validateSubject(spec: Frozen<SubjectAccessReviewSpec>): FieldError[] {
  const errors = validateAttributes(spec);
  return !spec.user && !spec.groups?.length ? [...errors, invalidValue("spec.user", spec.user ?? "", "at least one of user or group must be specified")] : errors;
}
