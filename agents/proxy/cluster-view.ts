import { networkInterfaces } from "node:os";
import { keyOf, type Frozen } from "../../src/apimachinery/meta.ts";
import { nodes } from "../../src/apis/core/node.ts";
import { pods } from "../../src/apis/core/pod/pod.ts";
import { services } from "../../src/apis/core/service/service.ts";
import { endpointslices } from "../../src/apis/discovery/endpointslice.ts";
import type { Node, Pod, Service } from "../../src/apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import type { Informer, InformerFactory } from "../../src/client/informer.ts";
import type { Place } from "./endpoints.ts";
import { canonical } from "./family.ts";
import { hasHostPorts } from "./host-ports.ts";
import { isWithin } from "./networks.ts";
import { serviceOf } from "./service-ports.ts";

const zoneLabel = "topology.kubernetes.io/zone";

/** Where node ports answer: the node's own address of each family, or those of its addresses that are in these networks. */
export type NodePortAddresses = "primary" | readonly string[];

/** The node's own addresses, of either family, which may change. */
export interface NodeAddresses {
  readonly current: readonly string[];
  /** Returns the unsubscription. */
  onChange(listener: () => void): () => void;
}

export interface ClusterViewOptions {
  informers: InformerFactory;
  nodeName: string;
  nodeAddresses: NodeAddresses;
}

/** Keys of what changed since it was last asked. */
export interface ViewChanges {
  services: Set<string>;
  pods: Set<string>;
  /** The node's zone or addresses, on which all may depend. */
  node: boolean;
}

const noChanges = (): ViewChanges => ({ services: new Set(), pods: new Set(), node: false });

/** What the proxy knows of the cluster, and which part of it changed. */
export class ClusterView {
  readonly #slices = new Map<string, Map<string, Frozen<EndpointSlice>>>();
  readonly #sources: { services: Informer<Service>; slices: Informer<EndpointSlice>; pods: Informer<Pod>; node: Informer<Node> };
  #changes = noChanges();

  constructor(private readonly options: ClusterViewOptions) {
    const { informers, nodeName } = options;
    this.#sources = {
      services: informers.informer(services), slices: informers.informer(endpointslices),
      pods: informers.informer(pods, { fieldSelector: `spec.nodeName=${nodeName}` }), node: informers.informer(nodes, { fieldSelector: `metadata.name=${nodeName}` }),
    };
  }

  /** Calls `onChange` whenever there are changes to take. Returns when all is known; the returned function ends it. */
  async start(signal: AbortSignal, onChange: () => void): Promise<() => void> {
    const sources = this.#sources;
    const stops = [
      sources.services.onChange((old, current) => this.#changed(onChange, (changes) => changes.services.add(keyOf((current ?? old)!)))),
      sources.slices.onChange((old, current) => this.#sliceChanged(old, current, onChange)),
      sources.pods.onChange((old, current) => {
        if (hasHostPorts(old) || hasHostPorts(current)) this.#changed(onChange, (changes) => changes.pods.add(keyOf((current ?? old)!)));
      }),
      sources.node.onChange((old, current) => {
        if (zoneOf(old) !== zoneOf(current)) this.#changed(onChange, (changes) => (changes.node = true));
      }),
      this.options.nodeAddresses.onChange(() => this.#changed(onChange, (changes) => (changes.node = true))),
    ];
    await Promise.all(Object.values(sources).map((source) => source.synced(signal)));
    return () => stops.forEach((stop) => stop());
  }

  #changed(tell: () => void, note: (changes: ViewChanges) => void): void {
    note(this.#changes);
    tell();
  }

  #sliceChanged(old: Frozen<EndpointSlice> | undefined, current: Frozen<EndpointSlice> | undefined, onChange: () => void): void {
    const was = old && serviceOf(old), is = current && serviceOf(current);
    if (was && was !== is) this.#slices.get(was)?.delete(old.metadata.name!);
    if (is) {
      const own = this.#slices.get(is) ?? new Map<string, Frozen<EndpointSlice>>();
      this.#slices.set(is, own.set(current.metadata.name!, current));
    }
    if (was && this.#slices.get(was)?.size === 0) this.#slices.delete(was);
    for (const key of new Set([was, is])) if (key) this.#changed(onChange, (changes) => changes.services.add(key));
  }

  /** The changes until now; a change of the node's makes it all Services and pods. */
  takeChanges(): ViewChanges {
    const changes = this.#changes;
    this.#changes = noChanges();
    if (changes.node) {
      for (const service of this.#sources.services.lister.list()) changes.services.add(keyOf(service));
      for (const pod of this.#sources.pods.lister.list()) if (hasHostPorts(pod)) changes.pods.add(keyOf(pod));
    }
    return changes;
  }

  service(key: string): Frozen<Service> | undefined {
    return this.#sources.services.lister.get(key);
  }

  slicesOf(key: string): readonly Frozen<EndpointSlice>[] {
    return [...this.#slices.get(key)?.values() ?? []];
  }

  pod(key: string): Frozen<Pod> | undefined {
    return this.#sources.pods.lister.get(key);
  }

  get place(): Place {
    const { nodeName } = this.options;
    return { nodeName, zone: zoneOf(this.#sources.node.lister.get(nodeName)) };
  }

  get nodeIps(): string[] {
    return this.options.nodeAddresses.current.map(canonical);
  }

  nodePortAddresses(chosen: NodePortAddresses): string[] {
    if (chosen === "primary") return this.nodeIps;
    const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []).filter(({ internal }) => !internal).map(({ address }) => address);
    return all.filter((address) => chosen.some((network) => isWithin(network, address))).map(canonical);
  }
}

const zoneOf = (node: Frozen<Node> | undefined): string | undefined => node?.metadata.labels?.[zoneLabel];
