import { ProtoCodec } from "../../src/base/grpc/protobuf.ts";
import { GrpcCode, GrpcError } from "../../src/base/grpc/error.ts";
import type { ImageService, RuntimeService } from "./generated/messages.ts";
import type { GrpcChannel } from "../../src/base/grpc/channel.ts";

/** A mount as containerd writes it: of a type, from a source, with options as in fstab. */
export interface FilesystemMount {
  type: string;
  source: string;
  options: string[];
}

/** The few messages of containerd's snapshot service that are needed to look into an image (containerd api/services/snapshots/v1). */
const codec = new ProtoCodec({
  ViewSnapshotRequest: { fields: { snapshotter: { type: "string", id: 1 }, key: { type: "string", id: 2 }, parent: { type: "string", id: 3 } } },
  RemoveSnapshotRequest: { fields: { snapshotter: { type: "string", id: 1 }, key: { type: "string", id: 2 } } },
  ViewSnapshotResponse: { fields: { mounts: { rule: "repeated", type: "Mount", id: 1 } } },
  Mount: { fields: { type: { type: "string", id: 1 }, source: { type: "string", id: 2 }, options: { rule: "repeated", type: "string", id: 4 } } },
});
const service = "/containerd.services.snapshots.v1.Snapshots";
const metadata = { "containerd-namespace": "k8s.io" };

/**
 * How to mount the files of an image that the node has, read-only: good for as long as the image is there. Undefined when the runtime isn't containerd.
 * CRI itself has no call for it; a runtime of late mounts images into containers by itself.
 */
export async function imageFiles(channel: GrpcChannel, { images, runtime }: { images: ImageService; runtime: RuntimeService }, image: string): Promise<FilesystemMount[] | undefined> {
  const { runtimeName } = await runtime.version({});
  if (runtimeName !== "containerd") return undefined;
  const { info: about = {} } = await images.imageStatus({ image: { image }, verbose: true });
  const { chainID } = JSON.parse(about["info"] ?? "{}") as { chainID?: string };
  if (!chainID) throw new GrpcError(GrpcCode.NotFound, `the runtime does not say which layers the image ${image} has`, "ImageStatus");
  const snapshotter = await snapshotterOf(runtime);
  const key = `skiff-look-${crypto.randomUUID()}`;
  const viewed = await channel.unary(`${service}/View`, codec.encode("ViewSnapshotRequest", { snapshotter, key, parent: chainID }), { metadata });
  // The mounts are of the image's own layers; the view itself holds nothing that they need.
  await channel.unary(`${service}/Remove`, codec.encode("RemoveSnapshotRequest", { snapshotter, key }), { metadata });
  const { mounts = [] } = codec.decode("ViewSnapshotResponse", viewed) as { mounts?: Partial<FilesystemMount>[] };
  return mounts.map(({ type = "", source = "", options = [] }) => ({ type, source, options }));
}

async function snapshotterOf(runtime: RuntimeService): Promise<string> {
  const { info = {} } = await runtime.status({ verbose: true });
  const config = JSON.parse(info["config"] ?? "{}") as { containerd?: { snapshotter?: string } };
  return config.containerd?.snapshotter || "overlayfs";
}
