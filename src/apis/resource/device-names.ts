import { duplicate, invalidValue, required, tooLong, tooMany, type FieldError } from "../../apimachinery/field-errors.ts";
import { dns1123SubdomainErrors, regexError } from "../../apimachinery/validation/names.ts";
import { dnsLabel, dnsSubdomain } from "../core/field-rules.ts";
import { csiDriverName } from "../core/volume/csi-driver-name.ts";

/** Names of dynamic resource allocation. Source: pkg/apis/resource/validation. */

export const driverName = csiDriverName;
const longestPool = 253, longestIdentifier = 32;
const identifierPattern = "[A-Za-z_][A-Za-z0-9_]*", isIdentifier = new RegExp(`^${identifierPattern}$`);

/** Subdomains with slashes between them: a node's name, mostly. */
export function poolName(field: string, name: string | undefined): FieldError[] {
  if (!name) return [required(field)];
  return [...(Buffer.byteLength(name) > longestPool ? [tooLong(field, longestPool)] : []), ...name.split("/").flatMap((part) => dns1123SubdomainErrors(part).map((message) => invalidValue(field, part, message)))];
}

export const deviceClassName = (field: string, name: string | undefined): FieldError[] => (name ? dnsSubdomain(field, name) : [required(field)]);

function identifier(field: string, name: string): FieldError[] {
  return [
    ...(Buffer.byteLength(name) > longestIdentifier ? [tooLong(field, longestIdentifier)] : []),
    ...(isIdentifier.test(name) ? [] : [invalidValue(field, name, regexError("a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'", identifierPattern, "my_name", "MY_NAME", "MyName"))]),
  ];
}

/** `model` or `driver.example.com/model`. */
export function attributeName(field: string, name: string): FieldError[] {
  const [first = "", second, ...rest] = name.split("/");
  if (second === undefined) return identifier(field, first);
  if (rest.length > 0) return [];
  return [
    ...(first ? driverName(field, first) : [invalidValue(field, "", "the domain must not be empty")]),
    ...(second ? identifier(field, second) : [invalidValue(field, "", "the name must not be empty")]),
  ];
}

export const fullAttributeName = (field: string, name: string): FieldError[] =>
  [...attributeName(field, name), ...(name.includes("/") ? [] : [invalidValue(field, name, "a fully qualified name must be a domain and a name separated by a slash")])];

/** At most so many elements, each valid; and, where elements have keys, no key twice. */
export function validateList<T>(field: string, items: readonly T[] | undefined, most: number, each: (field: string, item: T) => FieldError[], keyOf?: (item: T) => string): FieldError[] {
  const list = items ?? [];
  if (list.length > most) return [tooMany(field, list.length, most)];
  const errors = list.flatMap((item, index) => each(`${field}[${index}]`, item));
  if (!keyOf) return errors;
  const keys = list.map(keyOf);
  return [...errors, ...keys.flatMap((key, index) => (keys.indexOf(key) < index ? [duplicate(`${field}[${index}]`, key)] : []))];
}

export const requestName = dnsLabel;

/** The requests of a claim, each with its alternatives. */
export type RequestNames = ReadonlyMap<string, ReadonlySet<string>>;

export function requestReference(field: string, name: string, known: RequestNames): FieldError[] {
  const rule = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";
  const [request = "", alternative, ...rest] = name.split("/");
  if (rest.length > 0) return [invalidValue(field, name, rule)];
  const exists = known.has(request) && (alternative === undefined || known.get(request)!.has(alternative));
  return [...requestName(field, request), ...(alternative === undefined ? [] : requestName(field, alternative)), ...(exists ? [] : [invalidValue(field, name, rule)])];
}
