import { duplicate, invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import { dns1123LabelErrors, dns1123SubdomainErrors, labelValueErrors, qualifiedNameErrors } from "../../apimachinery/validation/names.ts";
import { portNameErrors, portNumberErrors } from "../../apimachinery/validation/values.ts";
import { legacyAddressErrors, legacyNetworkErrors } from "../networking/addresses.ts";

/**
 * Rules for single fields, as k8s.io/kubernetes/pkg/apis/core/validation words them: what is wrong with the value at `field`.
 * Decoding leaves fields out that the types call required; they are met as Go's zero values.
 */
export const ruled = (errorsOf: (value: string) => string[]) => (field: string, value = ""): FieldError[] => errorsOf(value).map((message) => invalidValue(field, value, message));
export const dnsLabel = ruled(dns1123LabelErrors);
export const dnsSubdomain = ruled(dns1123SubdomainErrors);
export const labelName = ruled(qualifiedNameErrors);
export const labelValue = ruled(labelValueErrors);

/** Runs a rule on a value that may be left out. */
export const given = <T>(value: T | undefined, rule: (value: T) => FieldError[]): FieldError[] => (value === undefined || value === "" ? [] : rule(value));

/** A field with a fixed set of values that must be there. */
export function oneOf(field: string, value: string | undefined, supported: readonly string[]): FieldError[] {
  if (!value) return [required(field)];
  return supported.includes(value) ? [] : [notSupported(field, value, supported)];
}

/** A field with a fixed set of values that may be left out, but not be empty. */
export const stated = (field: string, value: string | undefined, supported: readonly string[]): FieldError[] => (value === undefined || supported.includes(value) ? [] : [notSupported(field, value, supported)]);

export const nonNegative = (field: string, value: number | undefined): FieldError[] => ((value ?? 0) < 0 ? [invalidValue(field, value, "must be greater than or equal to 0")] : []);
export const positive = (field: string, value: number | undefined): FieldError[] => ((value ?? 0) <= 0 ? [invalidValue(field, value ?? 0, "must be greater than zero")] : []);

export function within(field: string, value: number, low: number, high: number): FieldError[] {
  return value < low || value > high ? [invalidValue(field, value, `must be between ${low} and ${high}, inclusive`)] : [];
}

export const portNumber = (field: string, value = 0): FieldError[] => portNumberErrors(value).map((message) => invalidValue(field, value, message));
export const portName = ruled(portNameErrors);
export const portNumberOrName = (field: string, value: number | string = 0): FieldError[] => (typeof value === "number" ? portNumber(field, value) : portName(field, value));
export const ipAddress = ruled(legacyAddressErrors);
export const cidr = ruled(legacyNetworkErrors);

/** Addresses that traffic must not be sent to: it would reach the node itself, or nothing. */
export function endpointAddress(field: string, value: string): FieldError[] {
  const wrong = (detail: string): FieldError[] => [invalidValue(field, value, detail)];
  if (value === "0.0.0.0" || value === "::") return wrong(`may not be unspecified (${value})`);
  if (value.startsWith("127.") || value === "::1") return wrong("may not be in the loopback range (127.0.0.0/8, ::1/128)");
  if (value.startsWith("169.254.") || /^fe[89ab]/i.test(value)) return wrong("may not be in the link-local range (169.254.0.0/16, fe80::/10)");
  if (/^(?:224\.0\.0\.|ff02:)/i.test(value)) return wrong("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
  return [];
}

/** Remembers `value`; a duplicate when it was seen before. */
export function unique(field: string, seen: Set<string>, value = ""): FieldError[] {
  if (seen.has(value)) return [duplicate(field, value)];
  seen.add(value);
  return [];
}

export function relativePath(field: string, path: string): FieldError[] {
  return [...(path.startsWith("/") ? [invalidValue(field, path, "must be a relative path")] : []), ...noBacksteps(field, path)];
}

export const noBacksteps = (field: string, path: string): FieldError[] => (path.split("/").includes("..") ? [invalidValue(field, path, "must not contain '..'")] : []);

/** An error that shows no value: for a whole object. */
export const invalidObject = (field: string, detail: string): FieldError => ({ reason: "FieldValueInvalid", field, message: `Invalid value: ${detail}` });

/** `acme.io/foo`. */
export function domainPrefixedPath(field: string, value: string): FieldError[] {
  if (value === "") return [required(field)];
  const slash = value.indexOf("/"), host = value.slice(0, slash), path = value.slice(slash + 1);
  if (slash <= 0 || path === "") return [invalidValue(field, value, "must be a domain-prefixed path (such as \"acme.io/foo\")")];
  const wrongPath = /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(path) ? [] : [invalidValue(field, path, "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')")];
  return [...dnsSubdomain(field, host), ...wrongPath];
}
