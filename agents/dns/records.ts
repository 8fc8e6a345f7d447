import { isIP } from "node:net";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import { namespaces } from "../../src/apis/core/namespace.ts";
import { services } from "../../src/apis/core/service/service.ts";
import { endpointslices } from "../../src/apis/discovery/endpointslice.ts";
import type { Service } from "../../src/apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import type { InformerFactory } from "../../src/client/informer.ts";
import { fullForm } from "./reverse-names.ts";

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
  /** `name.namespace` of the Service with this cluster IP, or `hostname.name.namespace` of endpoints with a hostname. `ip` is in full form. */
  reverse(ip: string): readonly string[];
  /** Called after each change; returns the unsubscription. */
  onChange(handler: () => void): () => void;
}

const serviceNameLabel = "kubernetes.io/service-name";

/** Follows Services, EndpointSlices and namespaces. */
export class ClusterRecords implements RecordSource {
  readonly #slices = new Map<string, Map<string, Frozen<EndpointSlice>>>();
  readonly #names = new Map<string, string[]>();
  readonly #unsubscribe: (() => void)[];
  readonly #handlers = new Set<() => void>();
  readonly #services;
  readonly #endpointslices;
  readonly #namespaces;

  constructor(informers: InformerFactory) {
    this.#services = informers.informer(services);
    this.#endpointslices = informers.informer(endpointslices);
    this.#namespaces = informers.informer(namespaces);
    this.#unsubscribe = [
      this.#services.onChange((old, current) => {
        if (old) this.#forgetNames(namesOfService(old));
        if (current) this.#addNames(namesOfService(current));
        this.#changed();
      }),
      this.#endpointslices.onChange((old, current) => {
        if (old) this.#forgetSlice(old);
        if (current) this.#addSlice(current);
        this.#changed();
      }),
      this.#namespaces.onChange((old, current) => {
        if (!old || !current) this.#changed();
      }),
    ];
  }

  async synced(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#services.synced(signal), this.#endpointslices.synced(signal), this.#namespaces.synced(signal)]);
  }

  close(): void {
    for (const stop of this.#unsubscribe) stop();
  }

  onChange(handler: () => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  service(namespace: string, name: string): Frozen<Service> | undefined {
    return this.#services.lister.get(`${namespace}/${name}`);
  }

  hasNamespace(namespace: string): boolean {
    return this.#namespaces.lister.get(namespace) !== undefined;
  }

  endpoints(namespace: string, name: string): EndpointRecord[] {
    return [...(this.#slices.get(`${namespace}/${name}`)?.values() ?? [])].flatMap((slice) => {
      const ports = (slice.ports ?? []).flatMap(({ name: port = "", protocol = "TCP", port: number }) => (number === undefined ? [] : [{ name: port, protocol, port: number }]));
      return (slice.endpoints ?? []).filter((endpoint) => endpoint.conditions?.ready !== false).flatMap(({ addresses, hostname }) => addresses.map((ip) => ({ ip, ports, ...(hostname ? { hostname } : {}) })));
    });
  }

  reverse(ip: string): readonly string[] {
    return this.#names.get(ip) ?? [];
  }

  #changed(): void {
    for (const handler of this.#handlers) handler();
  }

  #addSlice(slice: Frozen<EndpointSlice>): void {
    const service = serviceOf(slice);
    if (!service || slice.addressType === "FQDN") return;
    let slices = this.#slices.get(service.key);
    if (!slices) this.#slices.set(service.key, slices = new Map());
    slices.set(slice.metadata.name!, slice);
    this.#addNames(namesOfEndpoints(slice, service));
  }

  #forgetSlice(slice: Frozen<EndpointSlice>): void {
    const service = serviceOf(slice);
    const slices = service && this.#slices.get(service.key);
    if (!service || !slices?.delete(slice.metadata.name!)) return;
    if (!slices.size) this.#slices.delete(service.key);
    this.#forgetNames(namesOfEndpoints(slice, service));
  }

  #addNames(names: readonly AddressName[]): void {
    for (const { ip, name } of names) this.#names.set(ip, [...(this.#names.get(ip) ?? []), name]);
  }

  #forgetNames(names: readonly AddressName[]): void {
    for (const { ip, name } of names) {
      const left = [...(this.#names.get(ip) ?? [])];
      left.splice(left.indexOf(name), 1);
      if (left.length) this.#names.set(ip, left);
      else this.#names.delete(ip);
    }
  }
}

interface AddressName {
  /** In full form. */
  ip: string;
  name: string;
}

function serviceOf(slice: Frozen<EndpointSlice>): { key: string; name: string; namespace: string } | undefined {
  const name = slice.metadata.labels?.[serviceNameLabel];
  const namespace = slice.metadata.namespace!;
  return name ? { key: `${namespace}/${name}`, name, namespace } : undefined;
}

function namesOfService({ metadata, spec }: Frozen<Service>): AddressName[] {
  const ips = spec.clusterIPs?.length ? spec.clusterIPs : [spec.clusterIP ?? ""];
  return ips.filter((ip) => isIP(ip)).map((ip) => ({ ip: fullForm(ip), name: `${metadata.name}.${metadata.namespace}` }));
}

function namesOfEndpoints(slice: Frozen<EndpointSlice>, service: { name: string; namespace: string }): AddressName[] {
  return (slice.endpoints ?? []).flatMap(({ hostname, addresses, conditions }) => (hostname && conditions?.ready !== false ? addresses.map((ip) => ({ ip: fullForm(ip), name: `${hostname}.${service.name}.${service.namespace}` })) : []));
}
