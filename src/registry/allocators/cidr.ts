/** An IPv4 network as numbers. */
export interface Cidr {
  /** The network address. */
  base: number;
  prefix: number;
  /** Addresses in it. */
  size: number;
  text: string;
}

/** Throws a RangeError for what is no IPv4 CIDR. */
export function parseCidr(text: string): Cidr {
  const [address = "", length = ""] = text.split("/");
  const value = parseIpv4(address);
  const prefix = Number(length);
  if (value === undefined || !/^\d+$/.test(length) || prefix > 32) throw new RangeError(`${JSON.stringify(text)} is not an IPv4 CIDR such as 10.43.0.0/16`);
  const size = 2 ** (32 - prefix);
  const base = value - (value % size);
  return { base, prefix, size, text: `${formatIpv4(base)}/${prefix}` };
}

/** The address as a number; undefined when it is not written as four decimals without leading zeros. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

export const formatIpv4 = (value: number): string => [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");

export const contains = ({ base, size }: Cidr, address: number): boolean => address >= base && address < base + size;

/** The address that a service CIDR's first service gets: the one behind the network's own. */
export const firstAddress = (cidr: string): string => formatIpv4(parseCidr(cidr).base + 1);
