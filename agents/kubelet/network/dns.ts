import type { DNSConfig } from "../../cri/generated/messages.ts";
import { isHostNetwork, type Pod } from "../pod/pod.ts";

/** resolv.conf(5) of the node, as far as it concerns pods. */
export interface ResolvConf {
  servers: string[];
  searches: string[];
  options: string[];
}

export interface ClusterDns {
  servers: readonly string[];
  domain: string;
}

export function parseResolvConf(text: string): ResolvConf {
  const conf: ResolvConf = { servers: [], searches: [], options: [] };
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line.replace(/[#;].*$/, "").trim().split(/\s+/);
    if (keyword === "nameserver" && values[0]) conf.servers.push(values[0]);
    else if (keyword === "search" || keyword === "domain") conf.searches = values.map((domain) => (domain === "." ? domain : domain.replace(/\.$/, "")));
    else if (keyword === "options") conf.options = values;
  }
  return conf;
}

/** What goes into the pod's resolv.conf. Source: k8s.io/kubernetes/pkg/kubelet/network/dns GetPodDNS. */
export function podDns(pod: Pod, cluster: ClusterDns, node: ResolvConf): DNSConfig {
  return withPodConfig(pod, base(pod, cluster, node));
}

function base(pod: Pod, cluster: ClusterDns, node: ResolvConf): ResolvConf {
  const policy = pod.spec.dnsPolicy ?? "ClusterFirst";
  if (policy === "None") return { servers: [], searches: [], options: [] };
  const inCluster = policy === "ClusterFirstWithHostNet" || (policy === "ClusterFirst" && !isHostNetwork(pod));
  if (!inCluster || cluster.servers.length === 0) return { servers: [...node.servers], searches: [...node.searches], options: [...node.options] };
  const searches = [`${pod.metadata.namespace}.svc.${cluster.domain}`, `svc.${cluster.domain}`, cluster.domain];
  return { servers: [...cluster.servers], searches: unique([...searches, ...node.searches]), options: ["ndots:5"] };
}

function withPodConfig(pod: Pod, conf: ResolvConf): ResolvConf {
  const extra = pod.spec.dnsConfig;
  if (!extra) return conf;
  const options = new Map(conf.options.map((option) => [option.split(":")[0]!, option]));
  for (const { name, value } of extra.options ?? []) if (name) options.set(name, value === undefined || value === "" ? name : `${name}:${value}`);
  return {
    servers: unique([...conf.servers, ...(extra.nameservers ?? [])]),
    searches: unique([...conf.searches, ...(extra.searches ?? [])]),
    options: [...options.values()],
  };
}

const unique = (values: readonly string[]): string[] => [...new Set(values)];
