import { closeSync, existsSync, mkdirSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { GrpcCode, GrpcError } from "../../src/base/grpc/error.ts";
import { GrpcServer, type GrpcMethod } from "../../src/base/grpc/server.ts";
import { csiCodec } from "../../agents/kubelet/csi/csi-api.ts";
import { bindMount, isMountPoint, mount, MountFlags, unmount } from "../../agents/kubelet/volumes/mount.ts";

export interface CsiCall {
  method: string;
  request: Record<string, unknown>;
}

/** A CSI driver over the real protocol: volumes are directories of its own, or one block device, mounted as drivers do. */
export interface TestCsiDriver {
  readonly name: string;
  /** Those of the node service that change something, in their order. */
  readonly calls: CsiCall[];
  /** What the node answered to the registration. */
  readonly registrations: { pluginRegistered?: boolean; error?: string }[];
  /** The next calls of a method fail with this. */
  fail(method: string, message: string | undefined): void;
  /** Goes without a word; its mounts stay. */
  stop(): void;
}

export interface CsiDriverOptions {
  name: string;
  /** The kubelet's. */
  rootDir: string;
  /** Where its volumes lie. */
  storage: string;
  /** What NodeGetCapabilities says; default: STAGE_UNSTAGE_VOLUME. */
  capabilities?: readonly number[];
  topology?: Record<string, string>;
  versions?: readonly string[];
  /** A block device to give out. */
  device?: string;
}

export async function startCsiDriver({ name, rootDir, storage, capabilities = [1], topology, versions = ["1.9.0"], device }: CsiDriverOptions): Promise<TestCsiDriver> {
  const endpoint = join(rootDir, "plugins", name, "csi.sock");
  const calls: CsiCall[] = [], registrations: TestCsiDriver["registrations"] = [], failures = new Map<string, string>();
  const unary = (request: string, answer: string, serve: (request: any) => Record<string, unknown> | void): GrpcMethod => async (bytes, send) => send(csiCodec.encode(answer, serve(csiCodec.decode(request, bytes)) ?? {}));
  const changing = (method: string, serve: (request: any) => void): [string, GrpcMethod] => [`/csi.v1.Node/${method}`, unary(`${method}Request`, "Nothing", (request: Record<string, unknown>) => {
    calls.push({ method, request });
    const failure = failures.get(method);
    if (failure) throw new GrpcError(GrpcCode.Unknown, failure, method);
    serve(request);
  })];
  const take = (path: string): void => {
    if (isMountPoint(path)) unmount(path);
    rmSync(path, { recursive: true, force: true });
  };
  const server = new GrpcServer(Object.fromEntries([
    ["/csi.v1.Node/NodeGetInfo", unary("NodeGetInfoRequest", "NodeGetInfoResponse", () => ({ nodeId: `${name}-node`, maxVolumesPerNode: 7, ...(topology ? { accessibleTopology: { segments: topology } } : {}) }))],
    ["/csi.v1.Node/NodeGetCapabilities", unary("NodeGetCapabilitiesRequest", "NodeGetCapabilitiesResponse", () => ({ capabilities: capabilities.map((type) => ({ rpc: { type } })) }))],
    changing("NodeStageVolume", ({ volumeId, stagingTargetPath, volumeCapability }) => {
      if (volumeCapability.block) return;
      mkdirSync(join(storage, volumeId), { recursive: true });
      bindMount(join(storage, volumeId), stagingTargetPath);
    }),
    changing("NodeUnstageVolume", ({ stagingTargetPath }) => take(stagingTargetPath)),
    changing("NodePublishVolume", ({ volumeId, stagingTargetPath, targetPath, volumeCapability, readonly }) => {
      if (isMountPoint(targetPath)) return;
      if (volumeCapability.block) {
        closeSync(openSync(targetPath, "a"));
        bindMount(device!, targetPath);
        return;
      }
      mkdirSync(targetPath, { recursive: true });
      const own = join(storage, volumeId);
      if (!existsSync(own)) mkdirSync(own, { recursive: true });
      bindMount(stagingTargetPath || own, targetPath);
      if (readonly) mount("none", targetPath, "none", MountFlags.remount | MountFlags.bind | MountFlags.readOnly);
    }),
    changing("NodeExpandVolume", () => {}),
    ["/csi.v1.Node/NodeGetVolumeStats", unary("NodeGetVolumeStatsRequest", "NodeGetVolumeStatsResponse", () => ({
      usage: [{ unit: 1, total: 1000, available: 400, used: 600 }, { unit: 2, total: 50, available: 20, used: 30 }], volumeCondition: { abnormal: true, message: "it rattles" },
    }))],
    changing("NodeUnpublishVolume", ({ targetPath }) => take(targetPath)),
  ] as [string, GrpcMethod][]));
  const registration = new GrpcServer({
    "/pluginregistration.Registration/GetInfo": unary("InfoRequest", "PluginInfo", () => ({ type: "CSIPlugin", name, endpoint, supportedVersions: versions })),
    "/pluginregistration.Registration/NotifyRegistrationStatus": unary("RegistrationStatus", "RegistrationStatusResponse", (status) => void registrations.push(status)),
  });
  await server.listen(endpoint);
  const registrationSocket = join(rootDir, "plugins_registry", `${name}-reg.sock`);
  await registration.listen(registrationSocket);
  return {
    name, calls, registrations,
    fail(method, message) {
      if (message === undefined) failures.delete(method);
      else failures.set(method, message);
    },
    stop() {
      server.close();
      registration.close();
      for (const socket of [endpoint, registrationSocket]) rmSync(socket, { force: true });
    },
  };
}
