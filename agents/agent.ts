import { join } from "node:path";
import { openConntrack, openNftables } from "nftables-js";
import { events } from "../src/apis/core/event.ts";
import type { DeviceSetting } from "../src/apis/kubeletconfig/device-setting.ts";
import type { KubeletSettings } from "../src/apis/kubeletconfig/kubelet-settings.ts";
import type { Taint } from "../src/apis/generated/core/v1.ts";
import { background } from "../src/base/background.ts";
import type { Clock } from "../src/base/clock.ts";
import type { Component } from "../src/base/component.ts";
import type { HttpHandler } from "../src/base/http.ts";
import { logger } from "../src/base/log.ts";
import { createMetrics } from "../src/base/metrics.ts";
import type { PodNetworkMode } from "../src/base/pod-network.ts";
import type { Client } from "../src/client/client.ts";
import type { InformerFactory } from "../src/client/informer.ts";
import type { ObjectKeeper, ValueKeeper } from "../src/client/object-keeper.ts";
import { createEventRecorder } from "../src/client/recorder.ts";
import { findCniBinDir } from "./containerd/config.ts";
import { ImageImporter } from "./containerd/images.ts";
import { Containerd } from "./containerd/supervisor.ts";
import { ipv6First } from "./cri/address-order.ts";
import { connectRuntime } from "./cri/containerd.ts";
import { ClusterDns } from "./dns/cluster-dns.ts";
import { createKubelet, type Kubelet } from "./kubelet/kubelet.ts";
import { withLocalPods } from "./local-pods/local-pods.ts";
import { NetworkPolicies, removePolicyTable } from "./netpol/netpol.ts";
import { linkPlugins, withoutDetection } from "./network/cni-plugins.ts";
import type { NodeAddresses } from "./network/node-addresses.ts";
import { PodNetwork } from "./network/pod-network.ts";
import { ServiceProxy } from "./proxy/proxy.ts";
import { proxyConfig } from "./proxy/proxy-config.ts";

export { NodeAddresses } from "./network/node-addresses.ts";
export { networkWatch } from "./network/network-watch.ts";

export interface AgentOptions {
  /** Names what the machine has only once: cgroups, tables, interfaces, networks. */
  instance: string;
  /** `<data-dir>/agent` */
  directory: string;
  /** The kubelet's own: pods' files, sockets of drivers and device plugins. */
  kubeletDirectory: string;
  /** Where volumes of the class `local-path` lie: `<data-dir>/storage`. */
  storageDirectory: string;
  /** On a tmpfs. */
  runDirectory: string;
  nodeName: string;
  /** Looked after by whoever made them. */
  nodeAddresses: NodeAddresses;
  /** How the pods of different nodes reach each other. */
  podNetwork: PodNetworkMode;
  nodeLabels: Readonly<Record<string, string>>;
  nodeTaints: readonly { key: string; value?: string; effect: string }[];
  /** The pods' networks, one of a family, or one of each in the order of preference; of the Services, and the DNS's addresses, in the same order. */
  clusterCidrs: readonly string[];
  serviceCidrs: readonly string[];
  clusterDns: readonly string[];
  clusterDomain: string;
  podLogDir: string;
  /** NetworkPolicies are another program's matter. */
  disableNetworkPolicy?: boolean;
  /** Where node ports answer: on the node's own addresses, or on those that it has in these networks. */
  nodePortAddresses: "primary" | readonly string[];
  /** `registries.yaml`: mirrors of image registries, and how to log in to them. */
  privateRegistry: string;
  /** A CRI socket of somebody else's runtime; without it containerd is ours. */
  containerRuntimeEndpoint?: string;
  /** Where the kubelet's API listens, as the Node object says. */
  kubeletPort: number;
  kubelet: KubeletSettings;
  /** Of this machine, for pods that ask for them. */
  devices: readonly DeviceSetting[];
  /** The kubelet's way to the API, as `system:node:<name>`. */
  client: Client;
  informers: InformerFactory;
  /** That of the parts beside the kubelet, as `system:skiff-network:<name>`: Services, their endpoints, all nodes. */
  networkClient: Client;
  networkInformers: InformerFactory;
  /** What the node remembers over restarts; for a node whose server may be away. */
  memory?: { keeper: ObjectKeeper; values: ValueKeeper };
  /** Tells the API server, without a request, that the kubelet lives and all is as it last reported; false where that can't be. */
  heartbeat?(): boolean;
  clock: Clock;
  /** A part has ended by an error: the node can't go on. */
  onFailure(what: string, error: unknown): void;
}

export interface Agent {
  /** In the order of starting. */
  components: Component[];
  /** The kubelet's API, for whoever carries it: a port, a tunnel, the API server in this process. It trusts its caller. */
  handler: HttpHandler;
}

/** Wires a node together: runtime, network, Services, DNS and kubelet. Nothing runs before the components are started. */
export function createAgent(options: AgentOptions): Agent {
  const { directory, nodeName, nodeAddresses, client, informers, networkInformers, clock } = options;
  const part = (name: string, run: (signal: AbortSignal) => Promise<void>, ready?: Promise<void>): Component => background(name, run, { ...(ready ? { ready } : {}), onFailure: (error) => options.onFailure(`${name} ended`, error) });

  const containerd = options.containerRuntimeEndpoint ? undefined : ownContainerd(options);
  const socket = options.containerRuntimeEndpoint ?? containerd!.socket;
  const connected = containerd?.runtime ?? connectRuntime({ socket, log: logger("cri") });
  const runtime = options.clusterCidrs[0]?.includes(":") ? ipv6First(connected) : connected;
  const stopped = new AbortController();
  const policyTable = { nft: openNftables(), table: { family: "inet", name: `${options.instance}-policies` } } as const;
  const policies = options.disableNetworkPolicy ? undefined : new NetworkPolicies({ ...policyTable, informers: networkInformers, nodeName, clock, log: logger("netpol") });
  const metrics = createMetrics();
  const kubelet: Kubelet = createKubelet({
    runtime, client, informers, clock, nodeName, nodeIps: () => nodeAddresses.current, proxyMetrics: () => metrics.render(), labels: options.nodeLabels, taints: options.nodeTaints as Taint[],
    recorder: createEventRecorder({ client, events, component: "kubelet", host: nodeName, clock }, stopped.signal),
    rootDir: options.kubeletDirectory, storageDirectory: options.storageDirectory, logDir: options.podLogDir, clusterDns: options.clusterDns, clusterDomain: options.clusterDomain,
    staticPodPath: options.kubelet.staticPodPath ?? join(directory, "pods"), cgroupRoot: `/${options.instance}`, kubeletPort: options.kubeletPort, ...(options.heartbeat ? { heartbeat: options.heartbeat } : {}), settings: options.kubelet, devices: options.devices, pinnedImages: () => images.references(), ...options.memory, ...(policies ? { podHasAddresses: (...pod) => policies.podHasAddresses(...pod) } : {}),
  });
  // A server in the same process knows all that the kubelet knows.
  const informersOfPods = options.memory ? withLocalPods(networkInformers, kubelet.podStatuses, nodeName) : networkInformers;
  const images = new ImageImporter({
    socket, runtime, directory: join(directory, "images"), stateFile: join(directory, "imported-images.json"), clock, log: logger("images"), onImported: () => kubelet.imagesChanged(),
  });
  const proxy = new ServiceProxy({
    nft: openNftables(), conntrack: openConntrack(), informers: informersOfPods, nodeName, nodeAddresses, metrics, clock, log: logger("proxy"),
    recorder: createEventRecorder({ client, events, component: "kube-proxy", host: nodeName, clock }, stopped.signal), config: proxyConfig(options),
  });
  const dns = new ClusterDns({ addresses: options.clusterDns, domain: options.clusterDomain, clusterNetworks: [...options.clusterCidrs, ...options.serviceCidrs], interfaceName: `${options.instance}-dns`, informers: informersOfPods, metrics, clock, log: logger("dns") });
  const network = new PodNetwork({
    informers: networkInformers, client, nodeName, addresses: nodeAddresses, mode: options.podNetwork, instance: options.instance, clusterCidrs: options.clusterCidrs, serviceCidrs: options.serviceCidrs,
    cniConfDir: cniConfDirOf(options), ipamDirectory: join(directory, "cni/ipam"), firstPlugin: cniBinDirOf(options) && withoutDetection, clock, log: logger("network"),
  });
  let forgetAddresses = (): void => undefined;

  return {
    handler: kubelet.handler,
    components: [
      { name: "cni-plugins", start: async () => linkPluginsOf(options) },
      ...(containerd ? [runtimeComponent(containerd, part("containerd", (signal) => containerd.run(signal, () => kubelet.imagesChanged())))] : []),
      { name: "pause-image", start: () => images.importPause() },
      part("images", (signal) => images.run(signal)),
      part("network", (signal) => network.run(signal)),
      part("proxy", (signal) => proxy.run(signal), proxy.ready),
      policies ? part("network-policies", (signal) => policies.run(signal)) : { name: "network-policies", start: () => removePolicyTable(policyTable) },
      part("dns", (signal) => dns.run(signal), dns.ready),
      { name: "events", start: async () => undefined, stop: async () => stopped.abort() },
      { name: "addresses", start: async () => { forgetAddresses = nodeAddresses.onChange(() => kubelet.nodeAddressesChanged()); }, stop: async () => forgetAddresses() },
      part("kubelet", (signal) => kubelet.run(signal)),
    ],
  };
}

/** containerd answers before it is looked after. */
function runtimeComponent(containerd: Containerd, supervision: Component): Component {
  return {
    ...supervision,
    async start(signal) {
      await containerd.start(signal);
      await supervision.start(signal);
    },
  };
}

function ownContainerd(options: AgentOptions): Containerd {
  const { directory, runDirectory, clock } = options;
  return new Containerd({
    directory: join(directory, "containerd"), registries: options.privateRegistry, clock, log: logger("containerd"),
    paths: { root: join(directory, "containerd/root"), state: join(runDirectory, "containerd"), socket: join(runDirectory, "containerd.sock"), cniConfDir: cniConfDirOf(options), ...(cniBinDirOf(options) ? { cniBinDir: cniBinDirOf(options)! } : {}) },
  });
}

/** Another runtime looks where it was told to; the standard place is the best guess. */
const cniConfDirOf = ({ directory, containerRuntimeEndpoint }: AgentOptions): string => (containerRuntimeEndpoint ? "/etc/cni/net.d" : join(directory, "cni/net.d"));

/** A network with IPv6 has a plugin of ours; a runtime of somebody else's looks for plugins where it was told to. */
const cniBinDirOf = ({ directory, clusterCidrs, containerRuntimeEndpoint }: AgentOptions): string | undefined =>
  (!containerRuntimeEndpoint && clusterCidrs.some((cidr) => cidr.includes(":")) ? join(directory, "cni/bin") : undefined);

function linkPluginsOf(options: AgentOptions): void {
  const directory = cniBinDirOf(options);
  if (directory) linkPlugins(directory, findCniBinDir());
}
