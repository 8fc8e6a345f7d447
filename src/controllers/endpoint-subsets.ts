import { thaw, type Frozen } from "../apimachinery/meta.ts";
import type { EndpointAddress, EndpointPort, EndpointSubset } from "../apis/generated/core/v1.ts";

interface Offered {
  address: EndpointAddress;
  ready: boolean;
}

/** Stands for subsets without ports. */
const portless = "";

/**
 * Subsets in the one form that says the same: each port once with all that offer it, ports that the same ones offer together, all in
 * order. An address that is both ready and not is ready. Source: RepackSubsets of k8s.io/kubernetes/pkg/api/v1/endpoints.
 */
export function repackSubsets(subsets: readonly Frozen<EndpointSubset>[]): EndpointSubset[] {
  const ports = new Map<string, EndpointPort>();
  const offered = new Map<string, Map<string, Offered>>();
  for (const subset of subsets) {
    const keys = (subset.ports ?? []).map((port) => {
      const key = JSON.stringify([port.name ?? "", port.port, port.protocol ?? "TCP", port.appProtocol ?? ""]);
      if (!ports.has(key)) ports.set(key, thaw<EndpointPort>(port));
      return key;
    });
    for (const key of keys.length > 0 ? keys : [portless]) {
      const addresses = offered.get(key) ?? new Map<string, Offered>();
      offered.set(key, addresses);
      for (const address of subset.addresses ?? []) addresses.set(identityOf(address), { address, ready: true });
      for (const address of subset.notReadyAddresses ?? []) {
        const id = identityOf(address);
        if (!addresses.has(id)) addresses.set(id, { address, ready: false });
      }
    }
  }
  const byAddresses = Map.groupBy([...offered].filter(([, addresses]) => addresses.size > 0).toSorted(([a], [b]) => (a < b ? -1 : 1)), ([, addresses]) =>
    [...addresses].map(([id, { ready }]) => `${id} ${ready}`).toSorted().join("\n"));
  return [...byAddresses.values()].map((group) => {
    const all = [...group[0]![1].values()].toSorted((a, b) => (a.address.ip < b.address.ip ? -1 : 1));
    const ready = all.filter((one) => one.ready).map(({ address }) => copy(address));
    const notReady = all.filter((one) => !one.ready).map(({ address }) => copy(address));
    const own = group.flatMap(([key]) => ports.get(key) ?? []);
    return { ...(ready.length > 0 ? { addresses: ready } : {}), ...(notReady.length > 0 ? { notReadyAddresses: notReady } : {}), ...(own.length > 0 ? { ports: own } : {}) };
  });
}

const copy = ({ targetRef, ...address }: Frozen<EndpointAddress>): EndpointAddress => ({ ...address, ...(targetRef ? { targetRef: { ...targetRef } } : {}) });

const identityOf = ({ ip, targetRef }: Frozen<EndpointAddress>): string => `${ip} ${targetRef?.uid ?? ""}`;
