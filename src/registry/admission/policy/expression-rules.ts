import { invalidValue, type FieldError } from "../../../apimachinery/field-errors.ts";
import type { ExpressionUnderReview } from "../../../apis/admissionregistration/expressions.ts";
import { compileFor, compileVariables } from "../../../cel/admission/compile.ts";
import { admissionEnvironment } from "../../../cel/admission/environment.ts";

/** What is wrong with an expression that is to be stored in a policy or a webhook's configuration. */
export function validateAdmissionExpression({ field, expression, use, hasParams, hasAuthorizer, variables }: ExpressionUnderReview): FieldError[] {
  const patchTypes = use === "applyConfiguration" || use === "jsonPatch";
  const declarations = { params: hasParams, authorizer: hasAuthorizer, patchTypes };
  const named = (variables ?? []).map(({ name = "", expression: source = "" }) => ({ name, expression: source }));
  const types = variables && compileVariables(named, { params: hasParams, authorizer: true }).types;
  const { failure } = compileFor(use, expression, admissionEnvironment({ ...declarations, ...(types && { variables: types }) }));
  if (!failure) return [];
  return [failure.internal ? { reason: "InternalError", field, message: `Internal error: ${failure.detail}` } : invalidValue(field, expression, failure.detail)];
}
