import { hostname } from "node:os";
import { podNetworkModes, type PodNetworkMode } from "../base/pod-network.ts";
import { parseDeviceSetting, type DeviceSetting } from "../apis/kubeletconfig/device-setting.ts";
import { parseKubeletArgs, type KubeletSettings } from "../apis/kubeletconfig/kubelet-settings.ts";
import { formatAddress } from "../apis/networking/addresses.ts";
import { nodePortAddresses, oneOfEachFamily } from "./network-options.ts";
import { absolute, oneOf, port } from "./option-values.ts";
import type { Setting, SettingValues } from "./options.ts";
import { UsageError } from "./settings.ts";

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
  { name: "kubelet-root-dir", type: "string", defaultText: "/var/lib/kubelet with the data directory /var/lib/skiff, <data-dir>/agent/kubelet with others", placeholder: "dir", group: "Files", description: "Pods' files, and the sockets of CSI drivers and device plugins" },
  { name: "pod-log-dir", type: "string", default: "/var/log/pods", placeholder: "dir", group: "Runtime", description: "Where containers' logs are written" },
  { name: "log-level", type: "string", default: "info", placeholder: "debug|info|warning|error", group: "Logging", description: "What to log" },
  { name: "log-format", type: "string", default: "text", placeholder: "text|json", group: "Logging", description: "How to log" },
] as const satisfies readonly Setting[];

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
  kubeletRootDir?: string;
  podLogDir: string;
  bindAddress: string;
  front: "bun" | "node";
}

/** What is asked of the machine where a setting is left open. */
export interface Host {
  hostname?(): string;
}

/** The part that a machine needs to be a node. Throws `UsageError` for the first mistake. */
export function parseNodeOptions(values: SettingValues, host: Host = {}): NodeOptions {
  const text = (name: string): string => String(values[name]);
  const optional = (name: string): string | undefined => (values[name] === undefined || values[name] === "" ? undefined : String(values[name]));
  const nodeName = (optional("node-name") ?? (host.hostname ?? hostname)()).toLowerCase();
  if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(nodeName)) throw new UsageError(`the node name ${JSON.stringify(nodeName)} must be lower-case letters, digits, "-" or ".": set one with --node-name`);
  const nodeIps = oneOfEachFamily((values["node-ip"] as string[] | undefined) ?? [], "--node-ip").map(formatAddress);
  const kubeletRootDir = optional("kubelet-root-dir");
  const runtime = optional("container-runtime-endpoint")?.replace(/^unix:\/\//, "");
  return {
    dataDir: absolute(text("data-dir"), "--data-dir"), nodeName, nodeIps,
    nodeLabels: labels((values["node-label"] as string[] | undefined) ?? []), nodeTaints: ((values["node-taint"] as string[] | undefined) ?? []).map(taint),
    kubeletPort: port(values["kubelet-port"], "--kubelet-port"), podNetwork: oneOf(text("pod-network"), podNetworkModes, "--pod-network"), nodePortAddresses: nodePortAddresses(values), disableNetworkPolicy: values["disable-network-policy"] === true, ...(runtime ? { containerRuntimeEndpoint: runtime } : {}), podLogDir: absolute(text("pod-log-dir"), "--pod-log-dir"), ...(kubeletRootDir ? { kubeletRootDir: absolute(kubeletRootDir, "--kubelet-root-dir") } : {}),
    kubelet: said(() => parseKubeletArgs(values["kubelet-arg"] as string[] | undefined ?? []), "--kubelet-arg"), devices: devices(values["device"] as string[] | undefined ?? []),
    privateRegistry: absolute(text("private-registry"), "--private-registry"),
    bindAddress: text("bind-address"), front: oneOf(text("front"), ["bun", "node"], "--front"),
  };
}

function devices(items: readonly string[]): DeviceSetting[] {
  const settings = items.map((item) => said(() => parseDeviceSetting(item), "--device"));
  const twice = settings.find(({ resource }, index) => settings.findIndex((other) => other.resource === resource) !== index);
  if (twice) throw new UsageError(`--device names ${twice.resource} twice: put all it means into one, with | between`);
  return settings;
}

/** What somebody else reads, and complains of. */
function said<T>(read: () => T, flag: string): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError(`${flag}: ${(error as Error).message}`, { cause: error });
  }
}

function labels(items: readonly string[]): Record<string, string> {
  return Object.fromEntries(items.map((item) => {
    const [key = "", value = ""] = item.split(/=(.*)/s);
    if (!/^([a-z0-9.-]+\/)?[A-Za-z0-9][A-Za-z0-9._-]*$/.test(key)) throw new UsageError(`--node-label ${JSON.stringify(item)} must look like key=value`);
    return [key, value];
  }));
}

function taint(item: string): { key: string; value?: string; effect: string } {
  const match = /^([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/.exec(item);
  if (!match) throw new UsageError(`--node-taint ${JSON.stringify(item)} must look like key=value:NoSchedule`);
  return { key: match[1]!, ...(match[2] ? { value: match[2] } : {}), effect: match[3]! };
}
