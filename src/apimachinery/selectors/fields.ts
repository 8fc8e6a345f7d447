import { badRequest } from "../status.ts";

/** k8s.io/apimachinery/pkg/fields: terms that must all hold, such as `metadata.name=web,status.phase!=Running`. */
export interface FieldRequirement {
  readonly field: string;
  readonly operator: "=" | "!=";
  readonly value: string;
}
export type FieldSelector = readonly FieldRequirement[];

/** Reads `=`, `==` and `!=` terms; `\` escapes `\`, `,` and `=` in values. Throws a 400 StatusError. */
export function parseFieldSelector(text: string): FieldSelector {
  return splitTerms(text).filter((term) => term !== "").map((term) => {
    const match = /^(.*?)(!=|==|=)(.*)$/s.exec(term);
    if (!match) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
    return { field: match[1]!, operator: match[2] === "!=" ? "!=" : "=", value: unescape(match[3]!, text) };
  });
}

/** Splits at commas that no backslash precedes. */
function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === ",") {
      terms.push(text.slice(start, i));
      start = i + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

function unescape(value: string, selector: string): string {
  const bad = /\\(?![\\,=])|^[^\\]*=|[^\\]=/.exec(value.replace(/\\\\/g, ""));
  if (bad) throw badRequest(`invalid field selector: ${selector}: unescaped or invalid character in value: ${value}`);
  return value.replace(/\\([\\,=])/g, "$1");
}

export const escapeFieldValue = (value: string): string => value.replace(/[\\,=]/g, "\\$&");

/** `valueOf` says what a field holds; it is asked for the selector's fields alone. */
export function matchesFields(selector: FieldSelector, valueOf: (field: string) => string): boolean {
  for (const { field, operator, value } of selector) if ((valueOf(field) === value) !== (operator === "=")) return false;
  return true;
}

export const formatFieldSelector = (selector: FieldSelector): string =>
  selector.map(({ field, operator, value }) => `${field}${operator}${escapeFieldValue(value)}`).join(",");

/** The one value that a field must have, so that an index can serve it. */
export const requiredValue = (selector: FieldSelector, field: string): string | undefined =>
  selector.find((requirement) => requirement.field === field && requirement.operator === "=")?.value;
