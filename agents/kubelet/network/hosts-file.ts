import { isHostNetwork, type Pod } from "../pod/pod.ts";
import { podHostname } from "./hostname.ts";

const header = "# Kubernetes-managed hosts file.\n";
const hostNetworkHeader = "# Kubernetes-managed hosts file (host network).\n";

/** The pod's /etc/hosts. A host-network pod gets the node's own with its aliases added. Source: kubelet's ensureHostsFile. */
export function hostsFile(pod: Pod, podIps: readonly string[], clusterDomain: string, nodeHosts: string): string {
  if (isHostNetwork(pod)) return hostNetworkHeader + nodeHosts + aliases(pod);
  const { hostname, fqdn } = podHostname(pod, clusterDomain);
  const names = fqdn ? `${fqdn}\t${hostname}` : hostname;
  return header
    + "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n"
    + podIps.map((ip) => `${ip}\t${names}\n`).join("")
    + aliases(pod);
}

function aliases(pod: Pod): string {
  const entries = pod.spec.hostAliases ?? [];
  if (entries.length === 0) return "";
  return "\n# Entries added by HostAliases.\n" + entries.map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join("\t")}\n`).join("");
}
