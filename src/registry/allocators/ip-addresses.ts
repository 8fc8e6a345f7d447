import { isIPv4, isIPv6 } from "node:net";
import { semanticEqual } from "../../apimachinery/equality.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { isAlreadyExists, isNotFound } from "../../apimachinery/status.ts";
import { services } from "../../apis/core/service/service.ts";
import type { Service } from "../../apis/generated/core/v1.ts";
import type { IPAddress } from "../../apis/generated/networking/v1.ts";
import { ipaddresses } from "../../apis/networking/ipaddress.ts";
import type { Client } from "../../client/client.ts";
import type { Machinery } from "../machinery.ts";
import { setSystemMetadata, takeKind } from "../metadata.ts";

/** Each address of a service is an IPAddress object as well: names are unique, and others see what is taken. Source: pkg/registry/core/service/ipallocator. */

const managedBy = "ipaddress.kubernetes.io/managed-by", familyLabel = "ipaddress.kubernetes.io/ip-family";
const allocator = "ipallocator.k8s.io";

const addressesOf = (service: Frozen<Service> | undefined): readonly string[] => (service?.spec?.clusterIPs ?? []).filter((address) => isIPv4(address) || isIPv6(address));

const ipAddressOf = (address: string, { metadata: { namespace, name } }: Frozen<Service>): IPAddress => ({
  metadata: { name: address, labels: { [familyLabel]: isIPv4(address) ? "IPv4" : "IPv6", [managedBy]: allocator } },
  spec: { parentRef: { resource: "services", namespace, name } },
});

/** After a service was written: the objects of addresses that it got, and of those that it gave back. */
export async function recordAddresses(machinery: Machinery, service: Frozen<Service> | undefined, old: Frozen<Service> | undefined): Promise<void> {
  const has = addressesOf(service), had = addressesOf(old);
  for (const address of had) if (!has.includes(address)) await forget(machinery, ipAddressOf(address, old!));
  for (const address of has) if (!had.includes(address)) await record(machinery, ipAddressOf(address, service!));
}

async function record(machinery: Machinery, object: IPAddress): Promise<void> {
  takeKind(ipaddresses, object);
  setSystemMetadata(machinery, object);
  delete object.metadata.generation;
  try {
    await machinery.store.create(ipaddresses, { name: object.metadata.name! }, object);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

async function forget({ store }: Machinery, { metadata, spec }: IPAddress): Promise<void> {
  const key = { name: metadata.name! }, entry = await store.get(ipaddresses, key);
  if (!entry || !semanticEqual(entry.object.spec, spec)) return;
  await store.delete(ipaddresses, key, entry.revision).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}

/** What a crash between two writes left behind: to be called at each start. */
export async function repairIpAddresses(client: Client): Promise<void> {
  const { items: all } = await client.list(services), { items: recorded } = await client.list(ipaddresses);
  const wanted = new Map(all.flatMap((service) => addressesOf(service).map((address) => [address, ipAddressOf(address, service)])));
  const right = (object: Frozen<IPAddress>): boolean => semanticEqual(object.spec, wanted.get(object.metadata.name!)?.spec);
  for (const object of recorded) if (object.metadata.labels?.[managedBy] === allocator && !right(object)) await client.delete(ipaddresses, { name: object.metadata.name! });
  const there = new Set(recorded.filter(right).map(({ metadata }) => metadata.name!));
  for (const [address, object] of wanted) {
    if (there.has(address)) continue;
    await client.create(ipaddresses, object).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error;
    });
  }
}
