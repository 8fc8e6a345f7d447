import { BlockList, isIPv6 } from "node:net";

/** Whether a network, such as 10.0.0.0/8, holds an address or another network wholly. What is neither holds nothing. */
export function isWithin(network: string, inner: string): boolean {
  const [base = "", prefix = ""] = network.split("/"), [address = "", innerPrefix] = inner.split("/");
  if (isIPv6(base) !== isIPv6(address)) return false;
  const type = isIPv6(base) ? "ipv6" : "ipv4", bits = isIPv6(base) ? 128 : 32;
  if (Number(innerPrefix ?? bits) < Number(prefix || bits)) return false;
  const list = new BlockList();
  list.addSubnet(base, Number(prefix || bits), type);
  return list.check(address, type);
}
