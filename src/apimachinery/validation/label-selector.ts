import { forbiddenField, invalidValue, required, type FieldError } from "../field-errors.ts";
import type { Frozen, LabelSelector, LabelSelectorRequirement } from "../meta.ts";
import { labelKeyErrors, labelValueErrors } from "./names.ts";
import { validateLabels } from "./object-meta.ts";

/** k8s.io/apimachinery/pkg/apis/meta/v1/validation ValidateLabelSelector. An absent selector has no errors. */
export function validateLabelSelector(selector: Frozen<LabelSelector> | LabelSelector | null | undefined, field: string): FieldError[] {
  return [
    ...validateLabels(selector?.matchLabels, `${field}.matchLabels`),
    ...(selector?.matchExpressions ?? []).flatMap((requirement, i) => validateRequirement(requirement, `${field}.matchExpressions[${i}]`)),
  ];
}

function validateRequirement({ key, operator, values = [] }: Frozen<LabelSelectorRequirement>, field: string): FieldError[] {
  return [
    ...validateOperator(operator, values, field),
    ...labelKeyErrors(key ?? "").map((message) => invalidValue(`${field}.key`, key, message)),
    ...values.flatMap((value, i) => labelValueErrors(value).map((message) => invalidValue(`${field}.values[${i}]`, value, message))),
  ];
}

function validateOperator(operator: string, values: readonly string[], field: string): FieldError[] {
  switch (operator) {
    case "In": case "NotIn": return values.length > 0 ? [] : [required(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'")];
    case "Exists": case "DoesNotExist": return values.length === 0 ? [] : [forbiddenField(`${field}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")];
    default: return [invalidValue(`${field}.operator`, operator, "not a valid selector operator")];
  }
}
