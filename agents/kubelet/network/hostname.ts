import { isHostNetwork, type Pod } from "../pod/pod.ts";

export interface PodHostname {
  /** The kernel's limit of 63 characters kept. */
  hostname: string;
  /** Fully qualified, when the pod has a subdomain. */
  fqdn?: string;
}

/** Source: kubelet's GeneratePodHostNameAndDomain. */
export function podHostname(pod: Pod, clusterDomain: string): PodHostname {
  const hostname = truncate(pod.spec.hostname || pod.metadata.name!);
  if (pod.spec.hostnameOverride) return { hostname: pod.spec.hostnameOverride };
  if (!pod.spec.subdomain) return { hostname };
  return { hostname, fqdn: `${hostname}.${pod.spec.subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}` };
}

/** What the sandbox is told; empty for host-network pods, which have no UTS namespace of their own to name. */
export function sandboxHostname(pod: Pod, clusterDomain: string): string {
  if (isHostNetwork(pod)) return "";
  const { hostname, fqdn } = podHostname(pod, clusterDomain);
  return pod.spec.setHostnameAsFQDN && fqdn ? fqdn : hostname;
}

function truncate(hostname: string): string {
  return hostname.length <= 63 ? hostname : hostname.slice(0, 63).replace(/[-.]+$/, "");
}
