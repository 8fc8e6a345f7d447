import { semanticEqual } from "../../apimachinery/equality.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { withMore } from "../core/with-more.ts";
import type { EndpointPort, EndpointSlice } from "../generated/discovery/v1.ts";
import { validateEndpointSlice, validateEndpointSliceUpdate } from "./endpointslice-validation.ts";
export type { EndpointSlice } from "../generated/discovery/v1.ts";

/** Names the Service that a slice belongs to. */
export const serviceNameLabel = "kubernetes.io/service-name";

export const endpointslices = defineResource<EndpointSlice>({
  group: "discovery.k8s.io", version: "v1", kind: "EndpointSlice", resource: "endpointslices", scope: "Namespaced",
  schema: "io.k8s.api.discovery.v1.EndpointSlice",
  default(slice) {
    slice.endpoints ??= [];
    slice.ports ??= [];
    for (const endpoint of slice.endpoints) endpoint.conditions ??= {};
    for (const port of slice.ports) {
      port.name ??= "";
      port.protocol ??= "TCP";
    }
  },
  strategy: {
    prepareForCreate(slice) {
      slice.metadata.generation = 1;
    },
    validate: validateEndpointSlice,
    validateUpdate: validateEndpointSliceUpdate,
    generationChanged: (slice, old) => !semanticEqual(contentOf(slice), contentOf(old)),
  },
  columns: [
    nameColumn(),
    { name: "AddressType", type: "string", description: "addressType specifies the type of address carried by this EndpointSlice.", value: (slice) => slice.addressType ?? "" },
    { name: "Ports", type: "string", description: "ports specifies the list of network ports exposed by each endpoint in this slice.", value: (slice) => withMore(slice.ports.map(portOf), "<unset>") },
    { name: "Endpoints", type: "string", description: "endpoints is a list of unique endpoints in this slice.", value: (slice) => withMore(slice.endpoints.flatMap(({ addresses }) => addresses), "<unset>") },
    ageColumn(),
  ],
  example: () => ({ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", metadata: { name: "example", namespace: "default" }, addressType: "IPv4", endpoints: [], ports: [] }),
});

const contentOf = ({ metadata: { labels }, addressType, endpoints, ports }: Frozen<EndpointSlice>): unknown => ({ labels, addressType, endpoints, ports });
const portOf = ({ port, name }: Frozen<EndpointPort>): string => (port !== undefined ? String(port) : name ?? "*");
