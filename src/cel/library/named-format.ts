import { dns1035LabelErrors, labelValueErrors, nameIsDns1123Label, nameIsDns1123Subdomain, qualifiedNameErrors } from "../../apimachinery/validation/names.ts";
import { func, method, type Library } from "../function.ts";
import { listType, optionalType, stringType, structType, type CelType } from "../type.ts";
import { parseTimestamp } from "../values/time.ts";
import { CelError, ListOf, Opaque, Optional, type Value } from "../values/value.ts";
import { urls } from "./url.ts";

export const formatType: CelType = structType("kubernetes.NamedFormat");

export class NamedFormat extends Opaque {
  readonly type = formatType;
  constructor(readonly name: string, readonly maxRegexSize: number, readonly validate: (text: string) => string[]) {
    super();
  }
  equals(other: NamedFormat): boolean {
    return this.name === other.name;
  }
}

const maskDash = (text: string): string => (text.length > 1 && text.endsWith("-") ? `${text.slice(0, -2)}a` : text);
const uuid = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/;
const unless = (valid: (text: string) => boolean, message: string) => (text: string): string[] => (valid(text) ? [] : [message]);

function uriErrors(text: string): string[] {
  const parsed = urls.url![0]!.call!(text);
  return parsed instanceof CelError ? [parsed.message.replace("URL parse error during conversion from string: ", "")] : [];
}

/** By the names `format.named` knows; the size is what costs count a format's pattern as. */
const formats = new Map<string, NamedFormat>([
  ["dns1123Label", new NamedFormat("DNS1123Label", 30, (text) => nameIsDns1123Label(text, false))],
  ["dns1123Subdomain", new NamedFormat("DNS1123Subdomain", 60, (text) => nameIsDns1123Subdomain(text, false))],
  ["dns1035Label", new NamedFormat("DNS1035Label", 30, dns1035LabelErrors)],
  ["qualifiedName", new NamedFormat("QualifiedName", 60, qualifiedNameErrors)],
  ["dns1123LabelPrefix", new NamedFormat("DNS1123LabelPrefix", 30, (text) => nameIsDns1123Label(text, true))],
  ["dns1123SubdomainPrefix", new NamedFormat("DNS1123SubdomainPrefix", 60, (text) => nameIsDns1123Subdomain(text, true))],
  ["dns1035LabelPrefix", new NamedFormat("DNS1035LabelPrefix", 30, (text) => dns1035LabelErrors(maskDash(text)))],
  ["labelValue", new NamedFormat("LabelValue", 40, labelValueErrors)],
  ["uri", new NamedFormat("URI", 1103, uriErrors)],
  ["uuid", new NamedFormat("uuid", 79, unless((text) => uuid.test(text), "does not match the UUID format"))],
  ["byte", new NamedFormat("byte", 84, unless((text) => base64.test(text), "invalid base64"))],
  ["date", new NamedFormat("date", 130, unless((text) => /^\d{4}-\d\d-\d\d$/.test(text) && parseTimestamp(`${text}T00:00:00Z`) !== undefined, "invalid date"))],
  ["datetime", new NamedFormat("datetime", 130, unless((text) => parseTimestamp(text) !== undefined, "invalid datetime"))],
]);

const find = (name: string): Value => {
  const format = formats.get(name);
  return format ? Optional.of(format) : Optional.none;
};

function validate(format: NamedFormat, text: string): Value {
  const errors = format.validate(text);
  return errors.length === 0 ? Optional.none : Optional.of(new ListOf(errors));
}

export const namedFormats: Library = {
  validate: [method("format-validate", [formatType, stringType], optionalType(listType(stringType)), validate)],
  "format.named": [func("format-named", [stringType], optionalType(formatType), find)],
  // `format.dns1123Label()`
  ...Object.fromEntries([...formats].map(([name, format]) => [`format.${name}`, [func(`format-${name}`, [], formatType, () => format)]])),
};
