import { isIP } from "node:net";
import { invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";

/** Addresses and networks as kinds of networking.k8s.io hold them: both families, written in their one canonical way. */

export type Family = 4 | 6;
export interface Address {
  family: Family;
  value: bigint;
  /** Whether it was written as IPv6 and means IPv4. */
  mapped: boolean;
}
export interface Network extends Address {
  prefix: number;
}

const bitsOf = (family: Family): number => (family === 4 ? 32 : 128);
const mappedPrefix = 0xffffn << 32n;

export function parseAddress(text: string): Address | undefined {
  const family = text.includes("%") ? 0 : isIP(text);
  if (family === 4) return { family, value: ipv4(text), mapped: false };
  if (family !== 6) return undefined;
  const value = ipv6(text), mapped = value >> 32n === 0xffffn;
  return mapped ? { family: 4, value: value ^ mappedPrefix, mapped } : { family, value, mapped };
}

const ipv4 = (text: string): bigint => text.split(".").reduce((value, part) => value * 256n + BigInt(part), 0n);

function ipv6(text: string): bigint {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const whole = dotted ? `${dotted[1]}${(ipv4(dotted[2]!) >> 16n).toString(16)}:${(ipv4(dotted[2]!) & 0xffffn).toString(16)}` : text;
  const [head = "", tail] = whole.split("::");
  const groups = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const left = groups(head), right = tail === undefined ? [] : groups(tail);
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => "0"), ...right].reduce((value, group) => (value << 16n) + BigInt(`0x${group}`), 0n);
}

/** RFC 5952 for IPv6. */
export function formatAddress({ family, value }: Address): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16)).join(":");
  const longest = (groups.match(/\b0(?::0)+\b/g) ?? []).toSorted((a, b) => b.length - a.length)[0];
  return longest ? groups.replace(new RegExp(`(^|:)${longest}($|:)`), "::") : groups;
}

/** The network around an address, whose own bits are kept: see `networkAddress`. */
export function parseNetwork(text: string): Network | undefined {
  const [, address = "", digits = ""] = /^([^/]*)\/(\d{1,3})$/.exec(text) ?? [];
  const parsed = parseAddress(address), written = parsed?.mapped ? 128 : bitsOf(parsed?.family ?? 4);
  if (!parsed || Number(digits) > written || (digits.length > 1 && digits.startsWith("0"))) return undefined;
  return { ...parsed, prefix: parsed.mapped ? Math.max(Number(digits) - 96, 0) : Number(digits) };
}

const hostMask = ({ family, prefix }: Network): bigint => (1n << BigInt(bitsOf(family) - prefix)) - 1n;
export const networkAddress = (network: Network): bigint => network.value & ~hostMask(network);
export const formatNetwork = (network: Network): string => `${formatAddress({ ...network, value: networkAddress(network) })}/${network.prefix}`;
export const containsAddress = (network: Network, address: Address): boolean =>
  network.family === address.family && (address.value & ~hostMask(network)) === networkAddress(network);

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
