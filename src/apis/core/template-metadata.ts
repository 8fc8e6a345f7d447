import { forbiddenField, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { validateAnnotations, validateLabels } from "../../apimachinery/validation/object-meta.ts";
import type { PersistentVolumeClaimTemplate } from "../generated/core/v1.ts";

/** Of the objects made from a template, only labels and annotations are the template's to say. Source: ValidateTemplateObjectMeta. */
export function validateTemplateMetadata(field: string, metadata: Frozen<PersistentVolumeClaimTemplate["metadata"]>): FieldError[] {
  const others = Object.keys(metadata ?? {}).filter((name) => name !== "annotations" && name !== "labels");
  return [
    ...validateAnnotations(metadata?.annotations, `${field}.annotations`), ...validateLabels(metadata?.labels, `${field}.labels`),
    // Kubernetes says these by Go's names, but for the first letter.
    ...others.map((name) => forbiddenField(`${field}.${name === "uid" ? "uID" : name}`, "cannot be set")),
  ];
}
