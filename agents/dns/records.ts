import type { Frozen } from "../../src/apimachinery/meta.ts";
import { services } from "../../src/apis/core/service/service.ts";
import { endpointslices } from "../../src/apis/discovery/endpointslice.ts";
import type { Service } from "../../src/apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import type { InformerFactory } from "../../src/client/informer.ts";

export interface EndpointRecord {
  ip: string;
  hostname?: string;
  ports: readonly { name: string; protocol: string; port: number }[];
}

/** What names are made from. Lookups only: nothing is copied per name. */
export interface RecordSource {
  service(namespace: string, name: string): Frozen<Service> | undefined;
  hasNamespace(namespace: string): boolean;
  /** Ready endpoints of a headless Service. */
  endpoints(namespace: string, name: string): EndpointRecord[];
  /** `name.namespace` of the Service with this cluster IP, or `hostname.name.namespace` of an endpoint with a hostname. */
  reverse(ip: string): string | undefined;
}

const serviceNameLabel = "kubernetes.io/service-name";

/** Follows Services and EndpointSlices. */
export class ClusterRecords implements RecordSource {
  readonly #slices = new Map<string, Map<string, Frozen<EndpointSlice>>>();
  readonly #names = new Map<string, string>();
  readonly #namespaces = new Map<string, number>();
  readonly #unsubscribe: (() => void)[];
  readonly #services;
  readonly #endpointslices;

  constructor(informers: InformerFactory) {
    this.#services = informers.informer(services);
    this.#endpointslices = informers.informer(endpointslices);
    this.#unsubscribe = [
      this.#services.onChange((old, current) => {
        if (old) this.#forgetService(old);
        if (current) this.#addService(current);
      }),
      this.#endpointslices.onChange((old, current) => {
        if (old) this.#forgetSlice(old);
        if (current) this.#addSlice(current);
      }),
    ];
  }

  async synced(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#services.synced(signal), this.#endpointslices.synced(signal)]);
  }

  close(): void {
    for (const stop of this.#unsubscribe) stop();
  }

  service(namespace: string, name: string): Frozen<Service> | undefined {
    return this.#services.lister.get(`${namespace}/${name}`);
  }

  hasNamespace(namespace: string): boolean {
    return this.#namespaces.has(namespace);
  }

  endpoints(namespace: string, name: string): EndpointRecord[] {
    return [...(this.#slices.get(`${namespace}/${name}`)?.values() ?? [])].flatMap((slice) => {
      const ports = (slice.ports ?? []).flatMap(({ name: port = "", protocol = "TCP", port: number }) => (number === undefined ? [] : [{ name: port, protocol, port: number }]));
      return (slice.endpoints ?? []).filter((endpoint) => endpoint.conditions?.ready !== false).flatMap(({ addresses, hostname }) => addresses.map((ip) => ({ ip, ports, ...(hostname ? { hostname } : {}) })));
    });
  }

  reverse(ip: string): string | undefined {
    return this.#names.get(ip);
  }

  #addService({ metadata, spec }: Frozen<Service>): void {
    this.#namespaces.set(metadata.namespace!, (this.#namespaces.get(metadata.namespace!) ?? 0) + 1);
    if (hasAddress(spec.clusterIP)) this.#names.set(spec.clusterIP, `${metadata.name}.${metadata.namespace}`);
  }

  #forgetService({ metadata, spec }: Frozen<Service>): void {
    const left = this.#namespaces.get(metadata.namespace!)! - 1;
    if (left) this.#namespaces.set(metadata.namespace!, left);
    else this.#namespaces.delete(metadata.namespace!);
    if (hasAddress(spec.clusterIP)) this.#names.delete(spec.clusterIP);
  }

  #addSlice(slice: Frozen<EndpointSlice>): void {
    const service = serviceOf(slice);
    if (!service || slice.addressType !== "IPv4") return;
    let slices = this.#slices.get(service.key);
    if (!slices) this.#slices.set(service.key, slices = new Map());
    slices.set(slice.metadata.name!, slice);
    for (const [ip, name] of hostnames(slice, service)) this.#names.set(ip, name);
  }

  #forgetSlice(slice: Frozen<EndpointSlice>): void {
    const service = serviceOf(slice);
    const slices = service && this.#slices.get(service.key);
    if (!service || !slices?.delete(slice.metadata.name!)) return;
    if (!slices.size) this.#slices.delete(service.key);
    for (const [ip, name] of hostnames(slice, service)) if (this.#names.get(ip) === name) this.#names.delete(ip);
  }
}

const hasAddress = (clusterIp: string | undefined): clusterIp is string => Boolean(clusterIp) && clusterIp !== "None";

function serviceOf(slice: Frozen<EndpointSlice>): { key: string; name: string; namespace: string } | undefined {
  const name = slice.metadata.labels?.[serviceNameLabel];
  const namespace = slice.metadata.namespace!;
  return name ? { key: `${namespace}/${name}`, name, namespace } : undefined;
}

function hostnames(slice: Frozen<EndpointSlice>, service: { name: string; namespace: string }): [string, string][] {
  return (slice.endpoints ?? []).flatMap(({ hostname, addresses }) => (hostname ? addresses.map((ip): [string, string] => [ip, `${hostname}.${service.name}.${service.namespace}`]) : []));
}
