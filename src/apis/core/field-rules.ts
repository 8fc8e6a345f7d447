import { isIP } from "node:net";
import { duplicate, forbiddenField, invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { dns1123LabelErrors, dns1123SubdomainErrors, labelValueErrors, qualifiedNameErrors } from "../../apimachinery/validation/names.ts";
import type { LabelSelector } from "../generated/meta/v1.ts";

/** Rules for single fields, as k8s.io/kubernetes/pkg/apis/core/validation words them: what is wrong with the value at `field`. */
export const ruled = (errorsOf: (value: string) => string[]) => (field: string, value: string): FieldError[] => errorsOf(value).map((message) => invalidValue(field, value, message));
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

export const nonNegative = (field: string, value: number | undefined): FieldError[] => ((value ?? 0) < 0 ? [invalidValue(field, value, "must be greater than or equal to 0")] : []);
export const positive = (field: string, value: number | undefined): FieldError[] => ((value ?? 0) <= 0 ? [invalidValue(field, value ?? 0, "must be greater than zero")] : []);

export function within(field: string, value: number, low: number, high: number): FieldError[] {
  return value < low || value > high ? [invalidValue(field, value, `must be between ${low} and ${high}, inclusive`)] : [];
}

export const portNumber = (field: string, value: number): FieldError[] => within(field, value, 1, 65535);

/** What an IANA service name may be. */
export function portName(field: string, name: string): FieldError[] {
  const messages: string[] = [];
  if (name.length > 15) messages.push("must be no more than 15 characters");
  if (!/^[-a-z0-9]+$/.test(name)) messages.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (!/[a-z]/.test(name)) messages.push("must contain at least one letter (a-z)");
  if (name.includes("--")) messages.push("must not contain consecutive hyphens");
  if (name.startsWith("-") || name.endsWith("-")) messages.push("must not begin or end with a hyphen");
  return messages.map((message) => invalidValue(field, name, message));
}

export const portNumberOrName = (field: string, value: number | string): FieldError[] => (typeof value === "number" ? portNumber(field, value) : portName(field, value));

export const ipAddress = (field: string, value: string): FieldError[] => (isIP(value) ? [] : [invalidValue(field, value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]);

/** Addresses that traffic must not be sent to: it would reach the node itself, or nothing. */
export function endpointAddress(field: string, value: string): FieldError[] {
  const wrong = (detail: string): FieldError[] => [invalidValue(field, value, detail)];
  if (value === "0.0.0.0" || value === "::") return wrong(`may not be unspecified (${value})`);
  if (value.startsWith("127.") || value === "::1") return wrong("may not be in the loopback range (127.0.0.0/8, ::1/128)");
  if (value.startsWith("169.254.") || /^fe[89ab]/i.test(value)) return wrong("may not be in the link-local range (169.254.0.0/16, fe80::/10)");
  if (/^(?:224\.0\.0\.|ff02:)/i.test(value)) return wrong("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
  return [];
}

export function labels(field: string, map: Readonly<Record<string, string>> | undefined): FieldError[] {
  return Object.entries(map ?? {}).flatMap(([key, value]) => [...labelName(field, key), ...labelValue(field, value)]);
}

/** A selector of a spec. One that is not given is not checked. */
export function labelSelector(field: string, selector: Frozen<LabelSelector> | undefined): FieldError[] {
  const errors = labels(`${field}.matchLabels`, selector?.matchLabels);
  for (const [index, { key, operator, values = [] }] of (selector?.matchExpressions ?? []).entries()) {
    const at = `${field}.matchExpressions[${index}]`;
    if (operator === "In" || operator === "NotIn") {
      if (values.length === 0) errors.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      if (values.length > 0) errors.push(forbiddenField(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
    } else {
      errors.push(invalidValue(`${at}.operator`, operator, "not a valid selector operator"));
    }
    errors.push(...labelName(`${at}.key`, key));
    for (const [place, value] of values.entries()) errors.push(...labelValue(`${at}.values[${place}]`, value));
  }
  return errors;
}

/** Remembers `value`; a duplicate when it was seen before. */
export function unique(field: string, seen: Set<string>, value: string): FieldError[] {
  if (seen.has(value)) return [duplicate(field, value)];
  seen.add(value);
  return [];
}

export function relativePath(field: string, path: string): FieldError[] {
  return [...(path.startsWith("/") ? [invalidValue(field, path, "must be a relative path")] : []), ...noBacksteps(field, path)];
}

export const noBacksteps = (field: string, path: string): FieldError[] => (path.split("/").includes("..") ? [invalidValue(field, path, "must not contain '..'")] : []);

export function cidr(field: string, value: string): FieldError[] {
  const [address = "", bits = "", ...rest] = value.split("/");
  const family = isIP(address);
  const valid = family !== 0 && rest.length === 0 && /^(0|[1-9]\d{0,2})$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
  return valid ? [] : [invalidValue(field, value, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")];
}
