import { dns1123SubdomainErrors, maxLengthError, regexError } from "./names.ts";

/** More of k8s.io/apimachinery/pkg/util/validation: each function returns what is wrong with a value, nothing when it is right. */

const inclusiveRange = (low: number, high: number): string => `must be between ${low} and ${high}, inclusive`;
const inRange = (low: number, high: number) => (value: number): string[] => (Number.isInteger(value) && value >= low && value <= high ? [] : [inclusiveRange(low, high)]);

export const portNumberErrors = inRange(1, 65_535);

/** A port's IANA_SVC_NAME. */
export function portNameErrors(name: string): string[] {
  const errors: string[] = [];
  if (name.length > 15) errors.push(maxLengthError(15));
  if (!/^[-a-z0-9]+$/.test(name)) errors.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (!/[a-z]/.test(name)) errors.push("must contain at least one letter (a-z)");
  if (name.includes("--")) errors.push("must not contain consecutive hyphens");
  if (name.startsWith("-") || name.endsWith("-")) errors.push("must not begin or end with a hyphen");
  return errors;
}

/** As relaxed since 1.34: anything printable but `=`. */
export function envVarNameErrors(name: string): string[] {
  if (name === "") return ["environment variable name must be non-empty"];
  return /^[ -<>-~]+$/.test(name) ? [] : [regexError("a valid environment variable name must consist only of printable ASCII characters other than '='", "^[ -<>-~]+$", "MY_NAME", "my.name", "my-name")];
}

/** Keys of ConfigMaps and Secrets, which may become file names. */
export function configMapKeyErrors(key: string): string[] {
  const errors: string[] = [];
  if (Buffer.byteLength(key) > 253) errors.push(maxLengthError(253));
  if (!/^[-._a-zA-Z0-9]+$/.test(key)) errors.push(regexError("a valid config key must consist of alphanumeric characters, '-', '_' or '.'", "[-._a-zA-Z0-9]+", "key.name", "KEY_NAME", "key-name"));
  if (key === "." || key === "..") errors.push(`must not be '${key}'`);
  else if (key.startsWith("..")) errors.push("must not start with '..'");
  return errors;
}

export const percentErrors = (value: string): string[] =>
  /^[0-9]+%$/.test(value) ? [] : [regexError("a valid percent string must be a numeric string followed by an ending '%'", "[0-9]+%", "1%", "93%")];

/** `*.example.com`. */
export function wildcardDomainErrors(value: string): string[] {
  const valid = value.startsWith("*.") && dns1123SubdomainErrors(value.slice(2)).length === 0 && value.length <= 253;
  const subdomain = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
  return valid ? [] : [regexError("a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character", `\\*\\.${subdomain}`, "*.example.com")];
}
