import { isIP } from "node:net";

/** IP addresses and networks of both families, as numbers, and written in their one canonical way. */

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

export const bitsOf = (family: Family): number => (family === 4 ? 32 : 128);
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

/** The address of a peer as a socket tells it; one that listens to both families tells IPv4 addresses as `::ffff:192.0.2.1`. */
export const unmapped = (text: string): string => (/^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(text) ? text.slice("::ffff:".length) : text);
