import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import type { Endpoints, EndpointSubset } from "../generated/core/v1.ts";
import { addressWarnings } from "../networking/addresses.ts";
import { validateEndpoints } from "./endpoints-validation.ts";
import { withMore } from "./with-more.ts";
export type { Endpoints } from "../generated/core/v1.ts";

export const endpoints = defineResource<Endpoints>({
  group: "", version: "v1", kind: "Endpoints", resource: "endpoints", scope: "Namespaced", singular: "endpoints", shortNames: ["ep"],
  deprecation: "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
  schema: "io.k8s.api.core.v1.Endpoints",
  default(object) {
    for (const subset of object.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ||= "TCP";
  },
  strategy: { validate: validateEndpoints, validateUpdate: (object) => validateEndpoints(object), warnings, allowCreateOnUpdate: true },
  columns: [
    nameColumn(),
    { name: "Endpoints", type: "string", description: "The set of all endpoints is the union of all subsets. Addresses are placed into subsets according to the IPs they share. A single address with multiple ports, some of which are ready and some of which are not (because they come from different containers) will result in the address being displayed in different subsets for the different ports. No address will appear in both Addresses and NotReadyAddresses in the same subset. Sets of addresses and ports that comprise a service.", value: (object) => withMore(addressesOf(object.subsets)) },
    ageColumn(),
  ],
  example: () => ({ apiVersion: "v1", kind: "Endpoints", metadata: { name: "example", namespace: "default" } }),
});

function warnings({ subsets = [] }: Frozen<Endpoints>): string[] {
  return subsets.flatMap((subset, index) => (["addresses", "notReadyAddresses"] as const).flatMap((list) =>
    (subset[list] ?? []).flatMap(({ ip }, place) => addressWarnings(`subsets[${index}].${list}[${place}].ip`, ip))));
}

/** `ip:port` of every ready address, or the bare address where a subset has no ports. */
function addressesOf(subsets: readonly Frozen<EndpointSubset>[] | undefined): string[] {
  return (subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : ports.flatMap(({ port }) => addresses.map(({ ip }) => (ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`))));
}
