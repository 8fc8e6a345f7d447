import { ProtoCodec } from "../../../src/base/grpc/protobuf.ts";

/** The messages that a node and CSI drivers exchange, as on the wire. Sources: the Container Storage Interface 1.9 (csi.proto); k8s.io/kubelet/pkg/apis/pluginregistration/v1. */
const string = (id: number) => ({ type: "string", id }), strings = (id: number) => ({ type: "string", id, rule: "repeated" }), int64 = (id: number) => ({ type: "int64", id });
const map = (id: number) => ({ keyType: "string", type: "string", id }), message = (type: string, id: number) => ({ type, id }), list = (type: string, id: number) => ({ type, id, rule: "repeated" });

export const csiCodec = new ProtoCodec({
  InfoRequest: { fields: {} },
  PluginInfo: { fields: { type: string(1), name: string(2), endpoint: string(3), supported_versions: strings(4) } },
  RegistrationStatus: { fields: { plugin_registered: { type: "bool", id: 1 }, error: string(2) } },
  RegistrationStatusResponse: { fields: {} },

  NodeGetInfoRequest: { fields: {} },
  NodeGetInfoResponse: { fields: { node_id: string(1), max_volumes_per_node: int64(2), accessible_topology: message("Topology", 3) } },
  Topology: { fields: { segments: map(1) } },
  NodeGetCapabilitiesRequest: { fields: {} },
  NodeGetCapabilitiesResponse: { fields: { capabilities: list("NodeServiceCapability", 1) } },
  NodeServiceCapability: { fields: { rpc: message("NodeServiceRpc", 1) } },
  NodeServiceRpc: { fields: { type: { type: "int32", id: 1 } } },

  VolumeCapability: { fields: { block: message("BlockVolume", 1), mount: message("MountVolume", 2), access_mode: message("AccessMode", 3) } },
  BlockVolume: { fields: {} },
  MountVolume: { fields: { fs_type: string(1), mount_flags: strings(2), volume_mount_group: string(3) } },
  AccessMode: { fields: { mode: { type: "int32", id: 1 } } },
  NodeStageVolumeRequest: { fields: { volume_id: string(1), publish_context: map(2), staging_target_path: string(3), volume_capability: message("VolumeCapability", 4), secrets: map(5), volume_context: map(6) } },
  NodeUnstageVolumeRequest: { fields: { volume_id: string(1), staging_target_path: string(2) } },
  NodePublishVolumeRequest: {
    fields: { volume_id: string(1), publish_context: map(2), staging_target_path: string(3), target_path: string(4), volume_capability: message("VolumeCapability", 5), readonly: { type: "bool", id: 6 }, secrets: map(7), volume_context: map(8) },
  },
  NodeUnpublishVolumeRequest: { fields: { volume_id: string(1), target_path: string(2) } },
  NodeExpandVolumeRequest: {
    fields: { volume_id: string(1), volume_path: string(2), capacity_range: message("CapacityRange", 3), staging_target_path: string(4), volume_capability: message("VolumeCapability", 5), secrets: map(6) },
  },
  CapacityRange: { fields: { required_bytes: int64(1), limit_bytes: int64(2) } },
  NodeGetVolumeStatsRequest: { fields: { volume_id: string(1), volume_path: string(2), staging_target_path: string(3) } },
  NodeGetVolumeStatsResponse: { fields: { usage: list("VolumeUsage", 1), volume_condition: message("VolumeCondition", 2) } },
  VolumeUsage: { fields: { available: int64(1), total: int64(2), used: int64(3), unit: { type: "int32", id: 4 } } },
  VolumeCondition: { fields: { abnormal: { type: "bool", id: 1 }, message: string(2) } },
  Nothing: { fields: {} },
});

/** NodeServiceCapability.RPC.Type */
export const NodeCapability = { stageUnstage: 1, getVolumeStats: 2, expandVolume: 3, volumeCondition: 4, singleNodeMultiWriter: 5, volumeMountGroup: 6 } as const;

/** VolumeUsage.Unit */
export const UsageUnit = { bytes: 1, inodes: 2 } as const;

/** VolumeCapability.AccessMode.Mode by the names that PersistentVolumes have; drivers that tell single writers apart have another for some. */
export const accessModes: Readonly<Record<string, { mode: number; precise?: number }>> = {
  ReadWriteOnce: { mode: 1, precise: 7 }, ReadOnlyMany: { mode: 3 }, ReadWriteMany: { mode: 5 }, ReadWriteOncePod: { mode: 1, precise: 6 },
};

export interface VolumeCapability {
  block?: object;
  mount?: { fsType?: string; mountFlags?: string[]; volumeMountGroup?: string };
  accessMode: { mode: number };
}

export interface StageRequest {
  volumeId: string;
  publishContext?: Record<string, string>;
  stagingTargetPath: string;
  volumeCapability: VolumeCapability;
  secrets?: Record<string, string>;
  volumeContext?: Record<string, string>;
}

export interface PublishRequest extends Omit<StageRequest, "stagingTargetPath"> {
  stagingTargetPath?: string;
  targetPath: string;
  readonly: boolean;
}

export interface ExpandRequest {
  volumeId: string;
  volumePath: string;
  capacityRange: { requiredBytes: number };
  stagingTargetPath?: string;
  volumeCapability: VolumeCapability;
  secrets?: Record<string, string>;
}

export interface VolumeUsage {
  available?: number;
  total?: number;
  used?: number;
  unit?: number;
}
