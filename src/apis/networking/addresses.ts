import { invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import { bitsOf, formatAddress, formatNetwork, networkAddress, parseAddress, parseNetwork, type Network } from "../../base/ip.ts";

export { containsAddress, formatAddress, formatNetwork, networkAddress, parseAddress, parseNetwork, type Address, type Family, type Network } from "../../base/ip.ts";

/** How kinds of networking.k8s.io hold addresses and networks. */

/** An address in canonical form. Source: k8s.io/apimachinery/pkg/util/validation IsValidIP. */
export function canonicalAddressErrors(text: string): string[] {
  const address = parseAddress(text);
  if (!address) return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"];
  if (address.mapped) return ["must not be an IPv4-mapped IPv6 address"];
  const canonical = formatAddress(address);
  return canonical === text ? [] : [`must be in canonical form (${JSON.stringify(canonical)})`];
}

/** A network in canonical form. Source: k8s.io/apimachinery/pkg/util/validation IsValidCIDR. */
export function canonicalNetwork(field: string, text: string): FieldError[] {
  const network = parseNetwork(text);
  const wrong = (message: string): FieldError[] => [invalidValue(field, text, message)];
  if (!network) return wrong("must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
  if (network.mapped) return wrong("must not have an IPv4-mapped IPv6 address");
  if (networkAddress(network) !== network.value) return wrong("must not have bits set beyond the prefix length");
  const canonical = formatNetwork(network);
  return canonical === text ? [] : wrong(`must be in canonical form (${JSON.stringify(canonical)})`);
}

/** Without the leading zeros that older parsers put up with. */
const withoutZeros = (text: string): string => text.replace(/(^|[./])0+(?=\d)/g, "$1");

/** A network as fields that are older than the canonical form are checked. Source: k8s.io/apimachinery/pkg/util/validation IsValidCIDRForLegacyField. */
export function legacyNetworkErrors(text: string): string[] {
  const network = parseNetwork(text);
  if (!network) return [parseNetwork(withoutZeros(text)) ? "must not have leading 0s in IP or prefix length" : "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"];
  if (network.mapped) return ["must not have an IPv4-mapped IPv6 address"];
  return networkAddress(network) === network.value ? [] : ["must not have bits set beyond the prefix length"];
}

export function legacyAddressErrors(text: string): string[] {
  const address = parseAddress(text);
  if (!address) return [parseAddress(withoutZeros(text)) ? "must not have leading 0s" : "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"];
  return address.mapped ? ["must not be an IPv4-mapped IPv6 address"] : [];
}

/** The network that a text means, be it written as it should be or not. */
export const looseNetwork = (text: string): Network | undefined => parseNetwork(withoutZeros(text));

/** What is questionable about an address that is accepted as it is. */
export function addressWarnings(field: string, text = ""): string[] {
  const given = parseAddress(text), address = given ?? parseAddress(withoutZeros(text));
  if (!address) return [];
  const canonical = formatAddress(address);
  if (!given || address.mapped) return [`${field}: non-standard IP address ${JSON.stringify(text)} is invalid: use ${JSON.stringify(canonical)}`];
  return canonical === text ? [] : [`${field}: IPv6 address ${JSON.stringify(text)} should be in RFC 5952 canonical format (${JSON.stringify(canonical)})`];
}

export function networkWarnings(field: string, text = ""): string[] {
  const network = parseNetwork(text);
  if (!network) return [];
  const shown = JSON.stringify(text), canonical = formatNetwork(network), warnings: string[] = [];
  if (networkAddress(network) !== network.value) {
    warnings.push(`${field}: CIDR value ${shown} is ambiguous in this context (should be ${JSON.stringify(canonical)} or ${JSON.stringify(`${formatAddress(network)}/${bitsOf(network.family)}`)}?)`);
  }
  if (network.mapped) warnings.push(`${field}: non-standard CIDR value ${shown} is invalid: use ${JSON.stringify(canonical)}`);
  if (warnings.length > 0 || network.family === 4 || canonical === text) return warnings;
  return [`${field}: IPv6 CIDR value ${shown} should be in RFC 5952 canonical format (${JSON.stringify(canonical)})`];
}
