import { invalidValue, notSupported, required, tooLong, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Condition, Frozen } from "../../apimachinery/meta.ts";
import { regexError } from "../../apimachinery/validation/names.ts";
import { labelName, unique } from "./field-rules.ts";

const reasonForm = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", isReason = new RegExp(`^${reasonForm}$`);
const states = ["False", "True", "Unknown"];

/** k8s.io/apimachinery/pkg/apis/meta/v1/validation ValidateConditions. */
export function validateConditions(field: string, conditions: Frozen<Condition[]> | undefined): FieldError[] {
  const types = new Set<string>();
  return (conditions ?? []).flatMap((condition, index) => {
    const at = `${field}[${index}]`, { type, status, reason, message = "" } = condition;
    const errors = [...unique(`${at}.type`, types, type), ...labelName(`${at}.type`, type)];
    if (!states.includes(status)) errors.push(notSupported(`${at}.status`, status ?? "", states));
    if ((condition.observedGeneration ?? 0) < 0) errors.push(invalidValue(`${at}.observedGeneration`, condition.observedGeneration, "must be greater than or equal to zero"));
    if (!condition.lastTransitionTime) errors.push(required(`${at}.lastTransitionTime`));
    if (!reason) errors.push(required(`${at}.reason`));
    else if (!isReason.test(reason)) errors.push(invalidValue(`${at}.reason`, reason, regexError("a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'", reasonForm, "my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB")));
    if (reason && reason.length > 1024) errors.push(tooLong(`${at}.reason`, 1024));
    return message.length > 32_768 ? [...errors, tooLong(`${at}.message`, 32_768)] : errors;
  });
}
