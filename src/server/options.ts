import { backupSettings, type BackupOptions } from "./backup/options.ts";
import { clusterSettings, type ClusterOptions } from "./cluster/options.ts";
import { datastoreSettings, type DatastoreOptions } from "./datastore/options.ts";
import { auditSettings, type AuditOptions } from "./audit-options.ts";
import { protectionSettings, type ProtectionOptions } from "./protection-options.ts";
import { identitySettings, type IdentityOptions } from "./identity-options.ts";
import { featureGateSettings } from "./feature-gate-options.ts";
import type { NetworkOptions } from "./network-options.ts";
import { nodeSettings, type NodeOptions } from "./node-options.ts";
import { schedulerSettings } from "./scheduler-options.ts";
import type { FeatureGates } from "../apis/feature-gates.ts";
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
  group: "Audit" | "Backup" | "Cluster" | "Datastore" | "Identity" | "Listening" | "Files" | "Node" | "Protection" | "Runtime" | "Logging";
}

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
  ...clusterSettings,
  ...datastoreSettings,
  ...backupSettings,
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

export interface ServerOptions extends NodeOptions, NetworkOptions {
  /** Where settings were read from, if it is there. */
  configFile: string;
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
  cluster: ClusterOptions;
  datastore: DatastoreOptions;
  backup: BackupOptions;
  protection: ProtectionOptions;
  scheduler?: ParsedConfiguration;
  disableAgent: boolean;
}
