import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { thaw } from "../../apimachinery/meta.ts";
import type { ResourceCard } from "../../apimachinery/resource.ts";
import { isAlreadyExists, isNotFound } from "../../apimachinery/status.ts";
import { endpoints, type Endpoints } from "../../apis/core/endpoints.ts";
import { services, type Service } from "../../apis/core/service/service.ts";
import { endpointslices, type EndpointSlice } from "../../apis/discovery/endpointslice.ts";
import type { Client } from "../../client/client.ts";

const name = "kubernetes";
const namespace = "default";

export interface ApiServerAddress {
  /** The Service's ClusterIP: the first address of the first service CIDR. */
  clusterIP: string;
  /** Where the cluster's servers are reached, all on one port: of the ClusterIP's family. Empty while none has an address. */
  servers: readonly string[];
  port: number;
}

/**
 * Makes default/kubernetes, by which pods and nodes find the API servers, with its Endpoints and EndpointSlice, and brings the latter up to
 * date when servers have come, gone or moved. To be called at each start.
 */
export async function ensureKubernetesService(client: Client, address: ApiServerAddress): Promise<void> {
  await ensure(client, services, kubernetesService(address), withPorts);
  await ensure(client, endpoints, kubernetesEndpoints(address), (current, wanted) => replacing(current, wanted, "subsets"));
  await ensure(client, endpointslices, kubernetesEndpointSlice(address), (current, wanted) => replacing(current, wanted, "endpoints", "ports"));
}

function kubernetesService({ clusterIP, port }: ApiServerAddress): Service {
  return {
    metadata: { name, namespace, labels: { component: "apiserver", provider: "kubernetes" } },
    spec: { type: "ClusterIP", clusterIP, clusterIPs: [clusterIP], sessionAffinity: "None", ports: [{ name: "https", protocol: "TCP", port: 443, targetPort: port }] },
  };
}

/** The mirroring controller must leave these alone: the label tells it so. */
const kubernetesEndpoints = ({ servers, port }: ApiServerAddress): Endpoints => ({
  metadata: { name, namespace, labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } },
  subsets: servers.length > 0 ? [{ addresses: servers.map((ip) => ({ ip })), ports: [{ name: "https", port, protocol: "TCP" }] }] : [],
});

const kubernetesEndpointSlice = ({ clusterIP, servers, port }: ApiServerAddress): EndpointSlice => ({
  metadata: { name, namespace, labels: { "kubernetes.io/service-name": name } },
  addressType: clusterIP.includes(":") ? "IPv6" : "IPv4",
  endpoints: servers.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  ports: [{ name: "https", port, protocol: "TCP" }],
});

/** Creates `wanted`, or updates what is there when `change` returns something to write. */
async function ensure<T extends KubeObject>(client: Client, card: ResourceCard<T>, wanted: T, change: (current: Frozen<T>, wanted: T) => T | false): Promise<void> {
  try {
    const current = await client.get(card, { namespace, name });
    const changed = change(current, wanted);
    if (changed) await client.update(card, changed);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await client.create(card, wanted).catch((failure: unknown) => {
      if (!isAlreadyExists(failure)) throw failure;
    });
  }
}

function withPorts(current: Frozen<Service>, { spec: { ports } }: Service): Service | false {
  if (current.spec.ports?.[0]?.targetPort === ports![0]!.targetPort) return false;
  const changed = thaw<Service>(current);
  changed.spec.ports = ports;
  return changed;
}

function replacing<T extends KubeObject>(current: Frozen<T>, wanted: T, ...fields: (keyof T)[]): T | false {
  if (fields.every((field) => Bun.deepEquals((current as T)[field], wanted[field]))) return false;
  const changed = thaw<T>(current);
  for (const field of fields) changed[field] = wanted[field];
  return changed;
}
