import { isIPv4, isIPv6 } from "node:net";
import { func, method, type Library } from "../function.ts";
import { boolType, intType, opaqueType, stringType, type CelType } from "../type.ts";
import { noSuchOverload } from "../values/arithmetic.ts";
import { quoted } from "../values/strings.ts";
import { CelError, Opaque, type Value } from "../values/value.ts";

export const ipType: CelType = opaqueType("net.IP");
export const cidrType: CelType = opaqueType("net.CIDR");

class IpValue extends Opaque {
  readonly type = ipType;
  constructor(readonly family: 4 | 6, readonly bits: bigint) {
    super();
  }
  equals(other: IpValue): boolean {
    return this.family === other.family && this.bits === other.bits;
  }
  override costSize(): number {
    return this.family === 4 ? 4 : 16;
  }
}

class CidrValue extends Opaque {
  readonly type = cidrType;
  constructor(readonly ip: IpValue, readonly prefix: number) {
    super();
  }
  equals(other: CidrValue): boolean {
    return this.prefix === other.prefix && this.ip.equals(other.ip);
  }
  override costSize(): number {
    return Math.ceil(this.prefix / 8);
  }
}

const width = (family: 4 | 6): number => (family === 4 ? 32 : 128);

function parseIp(text: string): IpValue | CelError {
  if (isIPv4(text)) return new IpValue(4, text.split(".").reduce((bits, part) => bits * 256n + BigInt(part), 0n));
  if (!isIPv6(text)) return new CelError(`IP Address ${quoted(text)} parse error during conversion from string: ParseAddr(${quoted(text)}): ${addressFault(text)}`);
  if (text.includes("%")) return new CelError(`IP address ${quoted(text)} with zone value is not allowed`);
  const bits = ipv6Bits(text);
  if (bits >> 32n === 0xffffn) return new CelError(`IPv4-mapped IPv6 address ${quoted(text)} is not allowed`);
  return new IpValue(6, bits);
}

/** Go's words for the faults people make. */
function addressFault(text: string): string {
  const [mark] = /[.:%]/.exec(text) ?? [];
  if (mark !== ".") return "unable to parse IP";
  const parts = text.split(".");
  const unexpected = /[^\d.]/.exec(text);
  if (unexpected) return `unexpected character (at ${quoted(text.slice(unexpected.index))})`;
  if (parts.some((part) => part === "")) return `IPv4 field must have at least one digit (at ${quoted(text.slice(/(^|\.)(?=\.|$)/.exec(text)!.index))})`;
  if (parts.some((part) => /^0\d/.test(part))) return "IPv4 field has octet with leading zero";
  if (parts.some((part) => Number(part) > 255)) return "IPv4 field has value >255";
  return parts.length < 4 ? "IPv4 address too short" : "IPv4 address too long";
}

function ipv6Bits(text: string): bigint {
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const plain = dotted ? text.slice(0, dotted.index) + [[1, 2], [3, 4]].map(([high, low]) => (Number(dotted[high!]) * 256 + Number(dotted[low!])).toString(16)).join(":") : text;
  const [head, tail] = plain.split("::") as [string, string?];
  const words = (part: string | undefined): string[] => (part ? part.split(":") : []);
  const before = words(head), after = words(tail);
  const all = tail === undefined ? before : [...before, ...Array<string>(8 - before.length - after.length).fill("0"), ...after];
  return all.reduce((bits, word) => bits * 65_536n + BigInt(`0x${word}`), 0n);
}

/** The canonical text: the longest run of zeros shortened, hexadecimal in lower case. */
function formatIp({ family, bits }: IpValue): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 0xffn).join(".");
  const words = Array.from({ length: 8 }, (_, index) => Number((bits >> BigInt(112 - 16 * index)) & 0xffffn));
  let start = -1, length = 1;
  for (let index = 0; index < 8; index++) {
    let end = index;
    while (end < 8 && words[end] === 0) end++;
    if (end - index > length) [start, length] = [index, end - index];
  }
  const hex = (part: number[]): string => part.map((word) => word.toString(16)).join(":");
  return start < 0 ? hex(words) : `${hex(words.slice(0, start))}::${hex(words.slice(start + length))}`;
}

function parseCidr(text: string): CidrValue | CelError {
  const refuse = (why: string): CelError => new CelError(`network address parse error during conversion from string: network address parse error during conversion from string: netip.ParsePrefix(${quoted(text)}): ${why}`);
  const slash = text.lastIndexOf("/");
  if (slash < 0) return refuse("no '/'");
  const address = text.slice(0, slash);
  if (address.includes("%")) return refuse("IPv6 zones cannot be present in a prefix");
  const ip = parseIp(address);
  if (ip instanceof CelError) {
    return ip.message.startsWith("IPv4-mapped") ? new CelError(`network address parse error during conversion from string: IPv4-mapped IPv6 address ${quoted(text)} is not allowed`) : refuse(`ParseAddr(${quoted(address)}): ${addressFault(address)}`);
  }
  const length = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(length)) return refuse(`bad bits after slash: ${quoted(length)}`);
  if (Number(length) > width(ip.family)) return refuse("prefix length out of range");
  return new CidrValue(ip, Number(length));
}

const masked = ({ ip, prefix }: CidrValue): CidrValue => {
  const hostBits = BigInt(width(ip.family) - prefix);
  return new CidrValue(new IpValue(ip.family, (ip.bits >> hostBits) << hostBits), prefix);
};

function containsIp(cidr: CidrValue, ip: IpValue): boolean {
  const hostBits = BigInt(width(cidr.ip.family) - cidr.prefix);
  return ip.family === cidr.ip.family && ip.bits >> hostBits === cidr.ip.bits >> hostBits;
}

const containsCidr = (cidr: CidrValue, other: CidrValue): boolean => cidr.prefix <= other.prefix && containsIp(cidr, other.ip);
/** What a text that is no address gives, where it stands for one. */
const whenParsed = <T extends Value>(parsed: T | CelError, then: (value: T) => Value): Value => (parsed instanceof CelError ? noSuchOverload : then(parsed));
const range = (family: 4 | 6, first: string, prefix: number) => {
  const cidr = new CidrValue(parseIp(first) as IpValue, prefix);
  return (ip: IpValue): boolean => ip.family === family && containsIp(cidr, ip);
};
const any = (...tests: ((ip: IpValue) => boolean)[]) => (ip: IpValue): boolean => tests.some((test) => test(ip));

const isLoopback = any(range(4, "127.0.0.0", 8), range(6, "::1", 128));
const isLinkLocalMulticast = any(range(4, "224.0.0.0", 24), (ip) => ip.family === 6 && ((ip.bits >> 112n) & 0xff0fn) === 0xff02n);
const isLinkLocalUnicast = any(range(4, "169.254.0.0", 16), range(6, "fe80::", 10));
const isMulticast = any(range(4, "224.0.0.0", 4), range(6, "ff00::", 8));
const isBroadcast = range(4, "255.255.255.255", 32);
const isUnspecified = (ip: IpValue): boolean => ip.bits === 0n;
const isGlobalUnicast = (ip: IpValue): boolean => !any(isUnspecified, isLoopback, isLinkLocalUnicast, isMulticast, isBroadcast)(ip);

function isCanonical(text: string): Value {
  const ip = parseIp(text);
  return ip instanceof CelError ? ip : formatIp(ip) === text;
}

const test = (id: string, holds: (ip: IpValue) => boolean): readonly [ReturnType<typeof method>] => [method(id, [ipType], boolType, holds)];

export const net: Library = {
  ip: [func("string_to_ip", [stringType], ipType, parseIp), method("cidr_ip", [cidrType], ipType, ({ ip }: CidrValue) => ip)],
  cidr: [func("string_to_cidr", [stringType], cidrType, parseCidr)],
  isIP: [func("is_ip", [stringType], boolType, (text: string) => parseIp(text) instanceof IpValue)],
  isCIDR: [func("is_cidr", [stringType], boolType, (text: string) => parseCidr(text) instanceof CidrValue)],
  family: [method("ip_family", [ipType], intType, ({ family }: IpValue) => BigInt(family))],
  "ip.isCanonical": [func("ip_is_canonical", [stringType], boolType, isCanonical)],
  isUnspecified: test("ip_is_unspecified", isUnspecified),
  isLoopback: test("ip_is_loopback", isLoopback),
  isLinkLocalMulticast: test("ip_is_link_local_multicast", isLinkLocalMulticast),
  isLinkLocalUnicast: test("ip_is_link_local_unicast", isLinkLocalUnicast),
  isGlobalUnicast: test("ip_is_global_unicast", isGlobalUnicast),
  containsIP: [
    method("cidr_contains_ip_string", [cidrType, stringType], boolType, (cidr: CidrValue, text: string) => whenParsed(parseIp(text), (ip) => containsIp(cidr, ip))),
    method("cidr_contains_ip_ip", [cidrType, ipType], boolType, containsIp),
  ],
  containsCIDR: [
    method("cidr_contains_cidr_string", [cidrType, stringType], boolType, (cidr: CidrValue, text: string) => whenParsed(parseCidr(text), (other) => containsCidr(cidr, other))),
    method("cidr_contains_cidr", [cidrType, cidrType], boolType, containsCidr),
  ],
  prefixLength: [method("cidr_prefix_length", [cidrType], intType, ({ prefix }: CidrValue) => BigInt(prefix))],
  masked: [method("cidr_masked", [cidrType], cidrType, masked)],
  string: [func("ip_to_string", [ipType], stringType, formatIp), func("cidr_to_string", [cidrType], stringType, ({ ip, prefix }: CidrValue) => `${formatIp(ip)}/${prefix}`)],
};
