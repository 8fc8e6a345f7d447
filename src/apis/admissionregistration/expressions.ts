import { duplicate, invalidValue, notSupported, required, tooMany, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { labelName } from "../core/field-rules.ts";
import type { AuditAnnotation, MatchCondition, Validation, Variable } from "../generated/admissionregistration/v1.ts";

/** What an expression is for: it decides on the type of its result. */
export type ExpressionUse = "matchCondition" | "variable" | "validation" | "messageExpression" | "auditAnnotation" | "applyConfiguration" | "jsonPatch";

/** One CEL expression of a configuration or policy that is to be stored. */
export interface ExpressionUnderReview {
  field: string;
  expression: string;
  use: ExpressionUse;
  /** Whether `params` is declared. */
  hasParams: boolean;
  hasAuthorizer: boolean;
  /** The policy's variables before this expression: what `variables` holds. Undefined where there is no `variables`. */
  variables: readonly Frozen<Variable>[] | undefined;
  /** Whether the stored object has the same expression: it may use what is no longer offered to new ones. */
  stored: boolean;
}

export type ExpressionValidator = (review: ExpressionUnderReview) => FieldError[];

/** CEL is understood above the cards. The server sets `validate` before its first request; until then expressions are taken as they are. */
export const expressionRules: { validate: ExpressionValidator } = { validate: () => [] };

/** What the expressions of one object have in common. */
export interface ExpressionScope {
  hasParams: boolean;
  variables: readonly Frozen<Variable>[] | undefined;
  /** The stored object's expressions, by use. */
  stored: ReadonlyMap<ExpressionUse, ReadonlySet<string>>;
}

export function validateExpression(field: string, expression: string, use: ExpressionUse, { hasParams, variables, stored }: ExpressionScope): FieldError[] {
  return expressionRules.validate({ field, expression, use, hasParams, hasAuthorizer: use !== "messageExpression", variables, stored: stored.get(use)?.has(expression) ?? false });
}

const mostMatchConditions = 64;

export function validateMatchConditions(field: string, conditions: readonly Frozen<MatchCondition>[] = [], scope: ExpressionScope): FieldError[] {
  const names = conditions.map(({ name }) => name);
  return [
    ...(conditions.length > mostMatchConditions ? [tooMany(field, conditions.length, mostMatchConditions)] : []),
    ...conditions.flatMap(({ name, expression = "" }, index) => {
      const at = `${field}[${index}]`, trimmed = expression.trim();
      return [
        ...(trimmed ? validateExpression(`${at}.expression`, trimmed, "matchCondition", { ...scope, variables: undefined }) : [required(`${at}.expression`)]),
        ...(name ? labelName(`${at}.name`, name) : [required(`${at}.name`)]),
        ...(name && names.indexOf(name) < index ? [duplicate(`${at}.name`, name)] : []),
      ];
    }),
  ];
}

const identifier = /^[_a-zA-Z][_a-zA-Z0-9]*$/;
const reservedWords = new Set(["true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace", "return", "var", "void", "while"]);

export function validateVariables(field: string, variables: readonly Frozen<Variable>[] = [], scope: ExpressionScope): FieldError[] {
  return variables.flatMap(({ name = "", expression = "" }, index) => {
    const at = `${field}[${index}]`, errors: FieldError[] = [];
    if (!name.trim()) errors.push(required(`${at}.name`, "name is not specified"));
    else if (!identifier.test(name) || reservedWords.has(name)) errors.push(invalidValue(`${at}.name`, name, "must be a valid CEL identifier"));
    if (!expression.trim()) return [...errors, required(`${at}.expression`, "expression is not specified")];
    return [...errors, ...validateExpression(`${at}.expression`, expression, "variable", { ...scope, variables: variables.slice(0, index) })];
  });
}

const reasons = ["Forbidden", "Invalid", "RequestEntityTooLarge"];

export function validateValidation(field: string, { expression = "", message = "", messageExpression = "", reason }: Frozen<Validation>, scope: ExpressionScope): FieldError[] {
  const errors = expression.trim() ? validateExpression(`${field}.expression`, expression, "validation", scope) : [required(`${field}.expression`, "expression is not specified")];
  if (messageExpression.trim()) errors.push(...validateExpression(`${field}.messageExpression`, messageExpression, "messageExpression", scope));
  else if (messageExpression) errors.push(invalidValue(`${field}.messageExpression`, messageExpression, "must be non-empty if specified"));
  if (message && !message.trim()) errors.push(invalidValue(`${field}.message`, message, "must be non-empty if specified"));
  else if (/[\n\r]/.test(message.trim())) errors.push(invalidValue(`${field}.message`, message, "must not contain line breaks"));
  return reason === undefined || reasons.includes(reason) ? errors : [...errors, notSupported(`${field}.reason`, reason, reasons)];
}

const longestValueExpression = 5 * 1024;

export function validateAuditAnnotation(field: string, policyName: string, { key = "", valueExpression = "" }: Frozen<AuditAnnotation>, scope: ExpressionScope): FieldError[] {
  const errors = policyName ? labelName(`${field}.key`, `${policyName}/${key}`) : [invalidValue(`${field}.key`, key, "requires metadata.name be non-empty")];
  const at = `${field}.valueExpression`, trimmed = valueExpression.trim();
  if (!trimmed) return [...errors, required(at, "valueExpression is not specified")];
  if (Buffer.byteLength(trimmed) > longestValueExpression) return [...errors, required(at, `must not exceed ${longestValueExpression} bytes in length`)];
  return [...errors, ...validateExpression(at, trimmed, "auditAnnotation", scope)];
}
