/** k8s.io/apimachinery/pkg/util/validation: each function returns what is wrong with a value, nothing when it is right. */

const dns1123Label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const dns1035Label = "[a-z]([-a-z0-9]*[a-z0-9])?";
const qualifiedName = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const labelValue = `(${qualifiedName})?`;

const isLabel = new RegExp(`^${dns1123Label}$`);
const isSubdomain = new RegExp(`^${dns1123Label}(\\.${dns1123Label})*$`);
const is1035Label = new RegExp(`^${dns1035Label}$`);
const isQualifiedName = new RegExp(`^${qualifiedName}$`);
const isLabelValue = new RegExp(`^${labelValue}$`);

const empty = "must be non-empty";
export const maxLengthError = (max: number): string => `must be no more than ${max} characters`;
/** Label keys and values are told apart from the rest by their unit: so Kubernetes has it. */
const maxBytesError = (max: number): string => `must be no more than ${max} bytes`;
/** Two spaces before each `or`, as Kubernetes has them. */
export const regexError = (message: string, pattern: string, ...examples: string[]): string =>
  `${message} (e.g. ${examples.map((example) => `'${example}', `).join(" or ")}regex used for validation is '${pattern}')`;

const labelMessage = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
const subdomainMessage = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const dns1035Message = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
const qualifiedMessage = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const labelValueMessage = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

/** Length in bytes; all valid names are ASCII, so anything else fails its pattern as well. */
const bytes = (text: string): number => (text.length < 20 ? text.length : Buffer.byteLength(text));

function check(value: string, max: number, valid: RegExp, message: () => string, lengthError = maxLengthError): string[] {
  const errors = bytes(value) > max ? [lengthError(max)] : [];
  if (!valid.test(value)) errors.push(message());
  return errors;
}

export const dns1123LabelErrors = (value: string): string[] => check(value, 63, isLabel, () => (isSubdomain.test(value) ? "must not contain dots" : regexError(labelMessage, dns1123Label, "my-name", "123-abc")));
export const dns1123SubdomainErrors = (value: string): string[] => check(value, 253, isSubdomain, () => regexError(subdomainMessage, `${dns1123Label}(\\.${dns1123Label})*`, "example.com"));
export const dns1035LabelErrors = (value: string): string[] => check(value, 63, is1035Label, () => regexError(dns1035Message, dns1035Label, "my-name", "abc-123"));
export const labelValueErrors = (value: string): string[] => check(value, 63, isLabelValue, () => regexError(labelValueMessage, labelValue, "MyValue", "my_value", "12345"), maxBytesError);

/** `name` or `prefix/name`: keys of labels and annotations, finalizers, resource names. */
export function qualifiedNameErrors(value: string): string[] {
  const parts = value.split("/");
  const name = parts.at(-1)!;
  const errors: string[] = [];
  if (parts.length > 2) return [`a valid label key ${regexError(qualifiedMessage, qualifiedName, "MyName", "my.name", "123-abc")} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  if (parts.length === 2) {
    if (parts[0] === "") errors.push(`prefix part ${empty}`);
    else errors.push(...dns1123SubdomainErrors(parts[0]!).map((error) => `prefix part ${error}`));
  }
  if (name === "") errors.push(`name part ${empty}`);
  else if (bytes(name) > 63) errors.push(`name part ${maxBytesError(63)}`);
  if (!isQualifiedName.test(name)) errors.push(`name part ${regexError(qualifiedMessage, qualifiedName, "MyName", "my.name", "123-abc")}`);
  return errors;
}

export const labelKeyErrors = qualifiedNameErrors;

/** For names that become a path segment and may otherwise be anything: RBAC roles, for one. */
export function pathSegmentErrors(name: string, prefix = false): string[] {
  if (!prefix && (name === "." || name === "..")) return [`may not be '${name}'`];
  return ["/", "%"].filter((sign) => name.includes(sign)).map((sign) => `may not contain '${sign}'`);
}

/**
 * As `ResourceCard.validateName` wants it: with `prefix`, the name is a generateName, whose trailing dash the suffix will follow.
 */
type NameRule = (name: string, prefix: boolean) => string[];
const maskTrailingDash = (name: string): string => (name.length > 1 && name.endsWith("-") ? `${name.slice(0, -2)}a` : name);
const nameRule = (errorsOf: (value: string) => string[]): NameRule => (name, prefix) => errorsOf(prefix ? maskTrailingDash(name) : name);
export const nameIsDns1123Subdomain = nameRule(dns1123SubdomainErrors);
export const nameIsDns1123Label = nameRule(dns1123LabelErrors);
export const nameIsPathSegment: NameRule = pathSegmentErrors;
