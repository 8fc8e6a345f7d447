import { podNetworkModes, type PodNetworkMode } from "../base/pod-network.ts";
import { auditSettings, type AuditOptions } from "./audit-options.ts";
import { protectionSettings, type ProtectionOptions } from "./protection-options.ts";
import { identitySettings, type IdentityOptions } from "./identity-options.ts";
import { featureGateSettings } from "./feature-gate-options.ts";
import type { NetworkOptions } from "./network-options.ts";
import { schedulerSettings } from "./scheduler-options.ts";
import type { FeatureGates } from "../apis/feature-gates.ts";
import type { DeviceSetting } from "../apis/kubeletconfig/device-setting.ts";
import type { KubeletSettings } from "../apis/kubeletconfig/kubelet-settings.ts";
import type { ParsedConfiguration } from "../scheduler/configuration/parse.ts";

/** One setting of `skiff server` or `skiff agent`. One table makes flags, environment variables and configuration keys. */
export interface Setting {
  name: string;
  /** How the value is read. Lists repeat the flag, or are YAML lists, or are separated by commas in the environment. */
  type: "string" | "number" | "boolean" | "list";
  /** Shown in --help; `undefined` for what is worked out at start. */
  default?: string | number | boolean | string[];
  /** What the default is when it is worked out. */
  defaultText?: string;
  placeholder?: string;
  description: string;
  group: "Audit" | "Cluster" | "Identity" | "Listening" | "Files" | "Node" | "Protection" | "Runtime" | "Logging";
}

/** What `skiff server` and `skiff agent` both take: of the node and its process. */
export const nodeSettings = [
  { name: "data-dir", type: "string", default: "/var/lib/skiff", placeholder: "dir", group: "Files", description: "Keys, database, images and pods live here" },
  { name: "bind-address", type: "string", default: "0.0.0.0", placeholder: "ip", group: "Listening", description: "Address to listen on" },
  { name: "front", type: "string", default: "bun", placeholder: "bun|node", group: "Listening", description: "Implementation of the TLS port: bun is small and fast, node is the conservative choice" },
  { name: "node-name", type: "string", defaultText: "the host name", placeholder: "name", group: "Node", description: "Name of this node" },
  { name: "node-ip", type: "list", defaultText: "the addresses of the default route, also when they change", placeholder: "ip", group: "Node", description: "Address of this node, or one of each family" },
  { name: "node-label", type: "list", placeholder: "key=value", group: "Node", description: "Labels the node registers with" },
  { name: "node-taint", type: "list", placeholder: "key=value:effect", group: "Node", description: "Taints the node registers with" },
  { name: "kubelet-port", type: "number", default: 10250, placeholder: "port", group: "Node", description: "Port of the kubelet's own API; 0 takes a free one" },
  { name: "pod-network", type: "string", default: "auto", placeholder: podNetworkModes.join("|"), group: "Node", description: "How pods of different nodes reach each other: by plain routes where nodes share a link and VXLAN (8472/udp) elsewhere, by one of both only, or by a network that another program brings. The same on all nodes" },
  { name: "nodeport-addresses", type: "list", defaultText: "primary: the node's own addresses", placeholder: "cidr", group: "Node", description: "Networks whose addresses of this machine answer at node ports, such as 192.168.0.0/16; 0.0.0.0/0 and ::/0 for all of a family" },
  { name: "disable-network-policy", type: "boolean", default: false, group: "Node", description: "Leave NetworkPolicies to another program: this node's pods accept every connection" },
  { name: "kubelet-arg", type: "list", placeholder: "name=value", group: "Node", description: "A setting of the kubelet by the kubelet's own name, such as max-pods=200, kube-reserved=memory=256Mi or image-gc-high-threshold=70" },
  { name: "device", type: "list", placeholder: "name[=what]", group: "Node", description: "Devices that pods may ask for as skiff.io/NAME without being privileged: serial, gpio, i2c, spi, video, input, or with a glob (radio=/dev/ttyUSB*) or USB ids (radio=usb:0403:6001); then ;count=N to share each, ;all for all of them at once" },
  { name: "private-registry", type: "string", default: "/etc/skiff/registries.yaml", placeholder: "file", group: "Runtime", description: "Mirrors of image registries, and how to log in to them; read again when it changes" },
  { name: "container-runtime-endpoint", type: "string", defaultText: "a containerd of our own", placeholder: "socket", group: "Runtime", description: "Use the CRI runtime at this Unix socket instead" },
  { name: "pod-log-dir", type: "string", default: "/var/log/pods", placeholder: "dir", group: "Runtime", description: "Where containers' logs are written" },
  { name: "log-level", type: "string", default: "info", placeholder: "debug|info|warning|error", group: "Logging", description: "What to log" },
  { name: "log-format", type: "string", default: "text", placeholder: "text|json", group: "Logging", description: "How to log" },
] as const satisfies readonly Setting[];

export const serverSettings = [
  { name: "write-kubeconfig", type: "string", default: "/etc/skiff/skiff.yaml", placeholder: "file", group: "Files", description: "Where to write the administrator's kubeconfig" },
  { name: "write-kubeconfig-mode", type: "string", default: "0600", placeholder: "mode", group: "Files", description: "Its file mode; 0644 lets every user of this machine administer the cluster" },
  { name: "https-listen-port", type: "number", default: 6443, placeholder: "port", group: "Listening", description: "Port of the API; 0 takes a free one" },
  { name: "advertise-address", type: "string", defaultText: "the node's address", placeholder: "ip", group: "Listening", description: "Address under which pods and nodes reach the API" },
  { name: "tls-san", type: "list", placeholder: "name", group: "Listening", description: "More names or addresses for the serving certificate" },
  { name: "token", type: "string", defaultText: "random, kept in <data-dir>/server/token", placeholder: "secret", group: "Cluster", description: "Secret that joins a node" },
  { name: "agent-token", type: "string", placeholder: "secret", group: "Cluster", description: "Another secret, that joins agents and no servers" },
  { name: "cluster-cidr", type: "list", default: ["10.42.0.0/16"], placeholder: "cidr", group: "Cluster", description: "Network of the pods, or one of each family, such as 10.42.0.0/16,fd00:42::/56; each node takes a /24, or a /64" },
  { name: "service-cidr", type: "list", default: ["10.43.0.0/16"], placeholder: "cidr", group: "Cluster", description: "Network of the Services' addresses, or one of each family, such as 10.43.0.0/16,fd00:43::/112" },
  { name: "service-node-port-range", type: "string", default: "30000-32767", placeholder: "from-to", group: "Cluster", description: "Ports for NodePort Services" },
  { name: "cluster-dns", type: "list", defaultText: "the tenth address of --service-cidr", placeholder: "ip", group: "Cluster", description: "Address of the cluster's DNS, or one of each family" },
  { name: "cluster-domain", type: "string", default: "cluster.local", placeholder: "domain", group: "Cluster", description: "DNS domain of the cluster" },
  { name: "disable", type: "list", placeholder: "part", group: "Cluster", description: "Parts not to run: servicelb (Services of type LoadBalancer get no addresses of the nodes), local-storage (the StorageClass local-path is not made), metrics-server (metrics.k8s.io is left to a server of yours), ingress (Ingresses are left to a controller of yours)" },
  { name: "ingress-http-port", type: "number", default: 80, placeholder: "port", group: "Cluster", description: "Port of this machine for Ingresses" },
  { name: "ingress-https-port", type: "number", default: 443, placeholder: "port", group: "Cluster", description: "Port of this machine for Ingresses over TLS" },
  ...featureGateSettings,
  ...schedulerSettings,
  ...identitySettings,
  ...auditSettings,
  ...protectionSettings,
  { name: "disable-agent", type: "boolean", default: false, group: "Node", description: "Run the control plane only, no node" },
  ...nodeSettings,
] as const satisfies readonly Setting[];

/** Settings as read: names in kebab-case, `undefined` where nothing was said and there is no fixed default. */
export type SettingValues = Record<string, string | number | boolean | string[] | undefined>;

/** Parts that run by default, by the names that K3s has for them. */
export const disableable = ["servicelb", "local-storage", "metrics-server", "ingress"] as const;
export type Disableable = (typeof disableable)[number];

/** What `nodeSettings` say. */
export interface NodeOptions {
  dataDir: string;
  nodeName: string;
  /** As they were given, one of a family at most; when there is none, the node takes what the machine has at the time. */
  nodeIps: string[];
  nodeLabels: Record<string, string>;
  nodeTaints: { key: string; value?: string; effect: string }[];
  kubeletPort: number;
  kubelet: KubeletSettings;
  devices: DeviceSetting[];
  /** The file of image registries; it need not exist. */
  privateRegistry: string;
  podNetwork: PodNetworkMode;
  /** The node's own addresses, or those that it has in these networks. */
  nodePortAddresses: "primary" | string[];
  disableNetworkPolicy: boolean;
  containerRuntimeEndpoint?: string;
  podLogDir: string;
  bindAddress: string;
  front: "bun" | "node";
}

export interface ServerOptions extends NodeOptions, NetworkOptions {
  writeKubeconfig: string;
  writeKubeconfigMode: number;
  httpsListenPort: number;
  advertiseAddress?: string;
  tlsSan: string[];
  token?: string;
  agentToken?: string;
  nodePortRange: { first: number; last: number };
  clusterDomain: string;
  disable: Disableable[];
  ingressHttpPort: number;
  ingressHttpsPort: number;
  featureGates: FeatureGates;
  identity: IdentityOptions;
  audit?: AuditOptions;
  protection: ProtectionOptions;
  scheduler?: ParsedConfiguration;
  disableAgent: boolean;
}
