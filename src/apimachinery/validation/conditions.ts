import { duplicate, invalidValue, notSupported, required, tooLong, type FieldError } from "../field-errors.ts";
import type { Condition, Frozen } from "../meta.ts";
import { labelKeyErrors, regexError } from "./names.ts";

const statuses = ["False", "True", "Unknown"];
const longestReason = 1024, longestMessage = 32 * 1024;
const reasonPattern = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", isReason = new RegExp(`^${reasonPattern}$`);
const reasonMessage = "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'";

/** k8s.io/apimachinery/pkg/apis/meta/v1/validation ValidateConditions. */
export function validateConditions(conditions: readonly Frozen<Condition>[] | undefined, field: string): FieldError[] {
  const types = (conditions ?? []).map(({ type }) => type);
  return (conditions ?? []).flatMap((condition, index) => [
    ...(types.indexOf(condition.type) < index ? [duplicate(`${field}[${index}].type`, condition.type)] : []),
    ...validateCondition(condition, `${field}[${index}]`),
  ]);
}

function validateCondition({ type = "", status, observedGeneration = 0, lastTransitionTime, reason = "", message = "" }: Frozen<Condition>, field: string): FieldError[] {
  return [
    ...labelKeyErrors(type).map((text) => invalidValue(`${field}.type`, type, text)),
    ...(statuses.includes(status) ? [] : [notSupported(`${field}.status`, status ?? "", statuses)]),
    ...(observedGeneration < 0 ? [invalidValue(`${field}.observedGeneration`, observedGeneration, "must be greater than or equal to zero")] : []),
    ...(lastTransitionTime ? [] : [required(`${field}.lastTransitionTime`)]),
    ...(reason ? [] : [required(`${field}.reason`)]),
    ...(reason && !isReason.test(reason) ? [invalidValue(`${field}.reason`, reason, regexError(reasonMessage, reasonPattern, "my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB"))] : []),
    ...(Buffer.byteLength(reason) > longestReason ? [tooLong(`${field}.reason`, longestReason)] : []),
    ...(Buffer.byteLength(message) > longestMessage ? [tooLong(`${field}.message`, longestMessage)] : []),
  ];
}
