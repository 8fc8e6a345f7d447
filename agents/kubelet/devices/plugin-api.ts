import { ProtoCodec } from "../../../src/base/grpc/protobuf.ts";

/** The messages of device plugins, as on the wire. Source: k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1. */
const string = (id: number) => ({ type: "string", id }), strings = (id: number) => ({ type: "string", id, rule: "repeated" }), list = (type: string, id: number) => ({ type, id, rule: "repeated" });

export const pluginCodec = new ProtoCodec({
  Empty: { fields: {} },
  DevicePluginOptions: { fields: { pre_start_required: { type: "bool", id: 1 }, get_preferred_allocation_available: { type: "bool", id: 2 } } },
  RegisterRequest: { fields: { version: string(1), endpoint: string(2), resource_name: string(3), options: { type: "DevicePluginOptions", id: 4 } } },
  ListAndWatchResponse: { fields: { devices: list("Device", 1) } },
  Device: { fields: { id: string(1), health: string(2), topology: { type: "TopologyInfo", id: 3 } } },
  TopologyInfo: { fields: { nodes: list("NUMANode", 1) } },
  NUMANode: { fields: { id: { type: "int64", id: 1 } } },
  PreStartContainerRequest: { fields: { devices_ids: strings(1) } },
  PreStartContainerResponse: { fields: {} },
  PreferredAllocationRequest: { fields: { container_requests: list("ContainerPreferredAllocationRequest", 1) } },
  ContainerPreferredAllocationRequest: { fields: { available_ids: strings(1), must_include_ids: strings(2), allocation_size: { type: "int32", id: 3 } } },
  PreferredAllocationResponse: { fields: { container_responses: list("ContainerPreferredAllocationResponse", 1) } },
  ContainerPreferredAllocationResponse: { fields: { ids: strings(1) } },
  AllocateRequest: { fields: { container_requests: list("ContainerAllocateRequest", 1) } },
  ContainerAllocateRequest: { fields: { devices_ids: strings(1) } },
  AllocateResponse: { fields: { container_responses: list("ContainerAllocateResponse", 1) } },
  ContainerAllocateResponse: {
    fields: { envs: { keyType: "string", type: "string", id: 1 }, mounts: list("Mount", 2), devices: list("DeviceSpec", 3), annotations: { keyType: "string", type: "string", id: 4 }, cdi_devices: list("CDIDevice", 5) },
  },
  Mount: { fields: { container_path: string(1), host_path: string(2), read_only: { type: "bool", id: 3 } } },
  DeviceSpec: { fields: { container_path: string(1), host_path: string(2), permissions: string(3) } },
  CDIDevice: { fields: { name: string(1) } },
});

export const pluginVersion = "v1beta1";
export const registerPath = `/${pluginVersion}.Registration/Register`;
export const pluginPath = (method: string): string => `/${pluginVersion}.DevicePlugin/${method}`;

export interface PluginOptions {
  preStartRequired?: boolean;
  getPreferredAllocationAvailable?: boolean;
}

export interface RegisterRequest {
  version?: string;
  /** The plugin's socket, beside ours. */
  endpoint?: string;
  resourceName?: string;
  options?: PluginOptions;
}

export interface PluginDevice {
  id?: string;
  /** `Healthy`, or anything else. */
  health?: string;
  topology?: { nodes?: { id?: number }[] };
}

export interface PluginGrant {
  envs?: Record<string, string>;
  mounts?: { containerPath?: string; hostPath?: string; readOnly?: boolean }[];
  devices?: { containerPath?: string; hostPath?: string; permissions?: string }[];
  annotations?: Record<string, string>;
  cdiDevices?: { name?: string }[];
}
