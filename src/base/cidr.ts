/** IPv4 networks as numbers. */
export interface Cidr {
  /** The network's first address. */
  base: number;
  prefix: number;
}

/** `10.42.0.0/16`; undefined when it is not a network in that form. Host bits are cleared. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = "", prefixText = ""] = text.split("/");
  const base = parseIpv4(address);
  const prefix = /^\d{1,2}$/.test(prefixText) ? Number(prefixText) : NaN;
  if (base === undefined || !(prefix >= 0 && prefix <= 32)) return undefined;
  const mask = prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
  return { base: (base & mask) >>> 0, prefix };
}

export function parseIpv4(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

export const formatIpv4 = (address: number): string => [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join(".");
export const formatCidr = ({ base, prefix }: Cidr): string => `${formatIpv4(base)}/${prefix}`;
export const cidrSize = ({ prefix }: Cidr): number => 2 ** (32 - prefix);
export const cidrContains = (cidr: Cidr, address: number): boolean => address >= cidr.base && address < cidr.base + cidrSize(cidr);
export const cidrsOverlap = (a: Cidr, b: Cidr): boolean => a.base < b.base + cidrSize(b) && b.base < a.base + cidrSize(a);
