import { GrpcChannel } from "../../../src/base/grpc/channel.ts";
import { csiCodec, NodeCapability, UsageUnit, type ExpandRequest, type PublishRequest, type StageRequest, type VolumeUsage } from "./csi-api.ts";

/** Long: a driver may format a disk, or wait for one. */
const callTimeoutMs = 2 * 60_000;

/** What a driver says of this node. */
export interface DriverNodeInfo {
  nodeId: string;
  /** 0 for no limit. */
  maxVolumes: number;
  topology: Readonly<Record<string, string>>;
}

/** What a driver says of a volume. */
export interface VolumeFigures {
  bytes?: VolumeUsage;
  inodes?: VolumeUsage;
  /** Undefined where the driver doesn't look after that. */
  abnormal?: boolean;
}

/** One CSI driver of this node, over its socket. All calls may be repeated, and throw `GrpcError`. */
export class CsiDriver {
  readonly #channel: GrpcChannel;
  #capabilities: Promise<ReadonlySet<number>> | undefined;
  constructor(readonly name: string, readonly endpoint: string) {
    this.#channel = new GrpcChannel(endpoint, `the CSI driver ${name}`);
  }

  async info(): Promise<DriverNodeInfo> {
    const { nodeId = "", maxVolumesPerNode = 0, accessibleTopology } = await this.#call("NodeGetInfo", "NodeGetInfoResponse", {}) as { nodeId?: string; maxVolumesPerNode?: number; accessibleTopology?: { segments?: Record<string, string> } };
    return { nodeId, maxVolumes: maxVolumesPerNode, topology: accessibleTopology?.segments ?? {} };
  }

  async can(capability: keyof typeof NodeCapability): Promise<boolean> {
    this.#capabilities ??= this.#call("NodeGetCapabilities", "NodeGetCapabilitiesResponse", {}).then((answer) => {
      const { capabilities = [] } = answer as { capabilities?: { rpc?: { type?: number } }[] };
      return new Set(capabilities.map(({ rpc }) => rpc?.type ?? 0));
    });
    const known = this.#capabilities;
    try {
      return (await known).has(NodeCapability[capability]);
    } catch (error) {
      if (this.#capabilities === known) this.#capabilities = undefined;
      throw error;
    }
  }

  async stage(request: StageRequest): Promise<void> {
    await this.#call("NodeStageVolume", "Nothing", request);
  }

  async unstage(volumeId: string, stagingTargetPath: string): Promise<void> {
    await this.#call("NodeUnstageVolume", "Nothing", { volumeId, stagingTargetPath });
  }

  async publish(request: PublishRequest): Promise<void> {
    await this.#call("NodePublishVolume", "Nothing", request);
  }

  async unpublish(volumeId: string, targetPath: string): Promise<void> {
    await this.#call("NodeUnpublishVolume", "Nothing", { volumeId, targetPath });
  }

  async expand(request: ExpandRequest): Promise<void> {
    await this.#call("NodeExpandVolume", "Nothing", request);
  }

  async stats(volumeId: string, volumePath: string): Promise<VolumeFigures> {
    const { usage = [], volumeCondition } = await this.#call("NodeGetVolumeStats", "NodeGetVolumeStatsResponse", { volumeId, volumePath }) as { usage?: VolumeUsage[]; volumeCondition?: { abnormal?: boolean } };
    const bytes = usage.find(({ unit }) => unit === UsageUnit.bytes), inodes = usage.find(({ unit }) => unit === UsageUnit.inodes);
    return { ...(bytes ? { bytes } : {}), ...(inodes ? { inodes } : {}), ...(await this.can("volumeCondition") ? { abnormal: volumeCondition?.abnormal ?? false } : {}) };
  }

  close(): void {
    this.#channel.close();
  }

  async #call(method: string, answer: string, request: object): Promise<Record<string, unknown>> {
    const bytes = await this.#channel.unary(`/csi.v1.Node/${method}`, csiCodec.encode(`${method}Request`, request as Record<string, unknown>), { timeoutMs: callTimeoutMs });
    return csiCodec.decode(answer, bytes);
  }
}
