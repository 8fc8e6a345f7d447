import type { Frozen } from "../../apimachinery/meta.ts";
import type { ServiceCIDR } from "../../apis/generated/networking/v1.ts";
import { containsAddress, networkAddress, parseAddress, parseNetwork, type Network } from "../../apis/networking/addresses.ts";

/** Whether a ServiceCIDR may go: another one covers its networks, or no address is left that it alone covers. */
export function mayGo(range: Frozen<ServiceCIDR>, all: readonly Frozen<ServiceCIDR>[], addresses: readonly string[]): boolean {
  const own = networksOf(range), others = all.filter(({ metadata }) => metadata.name !== range.metadata.name).flatMap(networksOf);
  if (own.every((network) => others.some((other) => covers(other, network)))) return true;
  return !addresses.some((text) => {
    const address = parseAddress(text);
    return address && own.some((network) => containsAddress(network, address)) && !others.some((network) => containsAddress(network, address));
  });
}

const networksOf = ({ spec }: Frozen<ServiceCIDR>): Network[] => (spec.cidrs ?? []).flatMap((cidr) => parseNetwork(cidr) ?? []);
const covers = (outer: Network, inner: Network): boolean => outer.prefix <= inner.prefix && containsAddress(outer, { ...inner, value: networkAddress(inner) });
