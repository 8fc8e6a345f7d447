import { canonical, type FamilyConfig, type IpFamily, ofFamily } from "./family.ts";
import type { NodePortAddresses } from "./cluster-view.ts";
import type { ProxyConfig } from "./proxy.ts";

export interface ClusterNetworks {
  /** Names the tables. */
  instance: string;
  /** Lists of one or both families each. */
  clusterCidrs: readonly string[];
  serviceCidrs: readonly string[];
  clusterDns: readonly string[];
  nodePortAddresses?: NodePortAddresses;
}

const tableFamilies: Record<IpFamily, "ip" | "ip6"> = { IPv4: "ip", IPv6: "ip6" };

/** Services have addresses of the families that the cluster has networks of, both for them and for pods. */
export function proxyConfig({ instance, clusterCidrs, serviceCidrs, clusterDns, nodePortAddresses = "primary" }: ClusterNetworks): ProxyConfig {
  const everywhere = nodePortAddresses === "primary" ? [] : nodePortAddresses.filter((network) => network.endsWith("/0"));
  const families = (["IPv4", "IPv6"] as const).filter((family) => ofFamily(family, serviceCidrs).length > 0 && ofFamily(family, clusterCidrs).length > 0);
  return {
    nodePortAddresses,
    otherTables: (["IPv4", "IPv6"] as const).filter((family) => !families.includes(family)).map((family) => ({ family: tableFamilies[family], name: instance })),
    families: families.map((family): FamilyConfig => ({
      family, table: { family: tableFamilies[family], name: instance }, clusterCidrs: ofFamily(family, clusterCidrs), serviceCidrs: ofFamily(family, serviceCidrs),
      localServiceIps: ofFamily(family, clusterDns).map(canonical), nodePortsEverywhere: ofFamily(family, everywhere).length > 0,
    })),
  };
}
