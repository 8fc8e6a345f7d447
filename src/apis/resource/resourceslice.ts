import type { Frozen } from "../../apimachinery/meta.ts";
import { formatTime } from "../../apimachinery/time.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import type { Device, DeviceAttribute, ResourceSlice, ResourceSliceSpec } from "../generated/resource/v1.ts";
import { validateSliceSpec } from "./slice-validation.ts";
export type { ResourceSlice } from "../generated/resource/v1.ts";

export const resourceslices = defineResource<ResourceSlice>({
  group: "resource.k8s.io", version: "v1", kind: "ResourceSlice", resource: "resourceslices", scope: "Cluster",
  schema: "io.k8s.api.resource.v1.ResourceSlice",
  default(slice) {
    const spec = (slice.spec ??= { driver: "", pool: { name: "", generation: 0, resourceSliceCount: 0 } });
    spec.pool ??= { name: "", generation: 0, resourceSliceCount: 0 };
    spec.pool.generation ??= 0;
    // Now is what Kubernetes' defaults say as well.
    for (const { taints } of spec.devices ?? []) for (const taint of taints ?? []) taint.timeAdded ??= formatTime(Date.now());
  },
  strategy: {
    prepareForCreate: ({ spec }) => dropGatedFields(spec),
    prepareForUpdate: ({ spec }, old) => dropGatedFields(spec, old.spec),
    validate: ({ spec }) => validateSliceSpec(spec), validateUpdate: ({ spec }, old) => validateSliceSpec(spec, old.spec),
    returnDeletedObject: true,
  },
  fieldSelectors: { "spec.nodeName": ({ spec }) => spec.nodeName ?? "", "spec.driver": ({ spec }) => spec.driver ?? "" },
  columns: [
    nameColumn(),
    { name: "Node", type: "string", description: "NodeName identifies the node which provides the resources in this pool. A field selector can be used to list only ResourceSlice objects belonging to a certain node.\n\nThis field can be used to limit access from nodes to ResourceSlices with the same node name. It also indicates to autoscalers that adding new nodes of the same type as some old node might also make new resources available.\n\nExactly one of NodeName, NodeSelector, AllNodes, and PerDeviceNodeSelection must be set. This field is immutable.", value: ({ spec }) => spec.nodeName ?? "" },
    { name: "Driver", type: "string", description: "Driver identifies the DRA driver providing the capacity information. A field selector can be used to list only ResourceSlice objects with a certain driver name.\n\nMust be a DNS subdomain and should end with a DNS domain owned by the vendor of the driver. It should use only lower case characters. This field is immutable.", value: ({ spec }) => spec.driver ?? "" },
    { name: "Pool", type: "string", description: "Name is used to identify the pool. For node-local devices, this is often the node name, but this is not required.\n\nIt must not be longer than 253 characters and must consist of one or more DNS sub-domains separated by slashes. This field is immutable.", value: ({ spec }) => spec.pool?.name ?? "" },
    ageColumn(),
  ],
  example: () => ({
    apiVersion: "resource.k8s.io/v1", kind: "ResourceSlice", metadata: { name: "example" },
    spec: { driver: "dra.example.com", nodeName: "example", pool: { name: "example", generation: 1, resourceSliceCount: 1 }, devices: [{ name: "device" }] },
  }),
});

const lists = ["ints", "bools", "strings", "versions"] as const;

/** Drops what belongs to features that are off by default (DRAListTypeAttributes, DRANodeAllocatableResources), unless it is stored already. */
function dropGatedFields(spec: ResourceSliceSpec, old?: Frozen<ResourceSliceSpec>): void {
  const attributesOf = ({ attributes = {} }: Frozen<Device>): readonly Frozen<DeviceAttribute>[] => Object.values(attributes);
  const keepLists = (old?.devices ?? []).some((device) => attributesOf(device).some((attribute) => lists.some((name) => attribute[name])));
  const keepMappings = (old?.devices ?? []).some((device) => device.nodeAllocatableResourceMappings);
  for (const device of spec.devices ?? []) {
    if (!keepMappings) delete device.nodeAllocatableResourceMappings;
    if (!keepLists) for (const attribute of Object.values(device.attributes ?? {})) for (const name of lists) delete attribute[name];
  }
}
