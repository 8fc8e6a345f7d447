import type { Frozen } from "../../src/apimachinery/meta.ts";
import type { Service, ServicePort } from "../../src/apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import type { IngressBackend } from "../../src/apis/generated/networking/v1.ts";

/** Where requests go. */
export type Backend =
  /** Addresses that are always good to connect to: the Service's own, which every node forwards to a ready pod; or a headless one's pods. */
  | { kind: "addresses"; scheme: Scheme; servers: readonly string[] }
  /** A name outside of the cluster, looked up when it is needed. */
  | { kind: "name"; scheme: Scheme; name: string; port: number }
  /** Nothing: 503. The reason is missing where that passes by itself. */
  | { kind: "none"; reason?: string };

type Scheme = "http" | "https";

export interface ServiceFacts {
  service(key: string): Frozen<Service> | undefined;
  slices(service: Frozen<Service>): readonly Frozen<EndpointSlice>[];
}

export function backendOf(namespace: string, backend: Frozen<IngressBackend>, { service: find, slices: slicesOf }: ServiceFacts): Backend {
  if (!backend.service) return { kind: "none", reason: `a backend that is a ${backend.resource?.kind ?? "resource"} is not supported: name a service` };
  const { name, port: wanted = {} } = backend.service;
  const service = find(`${namespace}/${name}`);
  if (!service) return { kind: "none", reason: `there is no service ${name} in the namespace ${namespace}` };
  const port = portOf(service, wanted);
  if (service.spec?.type === "ExternalName") return externalName(service, port, wanted.number, name);
  if (!port) return { kind: "none", reason: `the service ${name} has no port ${wanted.name ?? wanted.number}` };
  const scheme = schemeOf(port);
  const ready = slicesOf(service).flatMap((slice) => readyServers(slice, port));
  if (ready.length === 0) return { kind: "none" };
  const { clusterIP } = service.spec!;
  return { kind: "addresses", scheme, servers: clusterIP && clusterIP !== "None" ? [serverOf(clusterIP, port.port)] : [...new Set(ready)].toSorted() };
}

const portOf = ({ spec }: Frozen<Service>, { name, number }: { name?: string; number?: number }): Frozen<ServicePort> | undefined =>
  spec?.ports?.find((port) => (name ? port.name === name : port.port === number) && (port.protocol ?? "TCP") === "TCP");

function externalName({ spec }: Frozen<Service>, port: Frozen<ServicePort> | undefined, number: number | undefined, name: string): Backend {
  const target = port?.port ?? number;
  // Only what is a name for certain goes into a configuration file.
  if (!spec?.externalName || !/^[a-zA-Z0-9.-]+$/.test(spec.externalName) || target === undefined) return { kind: "none", reason: `the service ${name} names nothing outside that could be connected to` };
  return { kind: "name", scheme: port ? schemeOf(port) : target === 443 ? "https" : "http", name: spec.externalName, port: target };
}

/** Source: https://kubernetes.io/docs/concepts/services-networking/service/#application-protocol */
const schemeOf = ({ appProtocol, name }: Frozen<ServicePort>): Scheme => (appProtocol?.toLowerCase() === "https" || (appProtocol === undefined && name === "https") ? "https" : "http");

function readyServers({ endpoints, ports, addressType }: Frozen<EndpointSlice>, { name = "" }: Frozen<ServicePort>): string[] {
  const port = ports?.find((one) => (one.name ?? "") === name)?.port;
  if (port === undefined || addressType === "FQDN") return [];
  return (endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false).flatMap(({ addresses }) => addresses.slice(0, 1).map((address) => serverOf(address, port)));
}

const serverOf = (address: string, port: number): string => (address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`);
