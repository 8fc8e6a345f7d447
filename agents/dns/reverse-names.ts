import { isIPv4, isIPv6 } from "node:net";
import { groupsOf } from "./message-writer.ts";

/** The address in `4.3.2.1.in-addr.arpa`, or in the 32 digits of `….ip6.arpa`, in full form; undefined for any other name. */
export function addressOfReverseName(name: string): string | undefined {
  if (name.endsWith(".in-addr.arpa")) {
    const ip = name.slice(0, -".in-addr.arpa".length).split(".").reverse().join(".");
    return isIPv4(ip) ? ip : undefined;
  }
  const digits = name.endsWith(".ip6.arpa") ? name.slice(0, -".ip6.arpa".length).split(".") : [];
  if (digits.length !== 32 || !digits.every((digit) => /^[0-9a-f]$/.test(digit))) return undefined;
  return fullForm(digits.reverse().join("").match(/.{4}/g)!.join(":"));
}

/** Every address in one form: IPv6 in eight groups, as it has many. */
export const fullForm = (ip: string): string => (isIPv6(ip) ? groupsOf(ip).map((group) => group.toString(16)).join(":") : ip);
