import { rmSync } from "node:fs";
import { join } from "node:path";
import { GrpcChannel } from "../../src/base/grpc/channel.ts";
import { GrpcServer } from "../../src/base/grpc/server.ts";
import { pluginCodec, pluginPath, registerPath, type PluginDevice, type PluginGrant, type PluginOptions } from "../../agents/kubelet/devices/plugin-api.ts";

/** A device plugin of our own, over the real protocol. */
export interface TestDevicePlugin {
  /** Says what devices there are now. */
  tell(...devices: PluginDevice[]): void;
  /** What it was asked: the method, and ids. */
  readonly asked: string[];
  stop(): void;
}

export interface TestDevicePluginOptions {
  /** `<root>/device-plugins` of the kubelet. */
  directory: string;
  resource: string;
  options?: PluginOptions;
  version?: string;
  grant?(ids: readonly string[]): PluginGrant;
  preferred?(available: readonly string[], size: number): string[];
}

/** Listens, registers, and tells the devices given. Rejects when the kubelet refuses it. */
export async function startDevicePlugin({ directory, resource, options = {}, version = "v1beta1", grant = () => ({}), preferred = () => [] }: TestDevicePluginOptions, ...first: PluginDevice[]): Promise<TestDevicePlugin> {
  const endpoint = `${resource.replace("/", "-")}.sock`;
  const asked: string[] = [];
  let devices = first;
  const listeners = new Set<() => void>();
  const decode = (type: string, bytes: Uint8Array): any => pluginCodec.decode(type, bytes);
  const server = new GrpcServer({
    [pluginPath("GetDevicePluginOptions")]: async (_, send) => send(pluginCodec.encode("DevicePluginOptions", { ...options })),
    [pluginPath("ListAndWatch")]: (_, send, signal) => new Promise((resolve) => {
      const tell = (): void => send(pluginCodec.encode("ListAndWatchResponse", { devices }));
      listeners.add(tell);
      signal.addEventListener("abort", () => {
        listeners.delete(tell);
        resolve();
      }, { once: true });
      tell();
    }),
    [pluginPath("Allocate")]: async (bytes, send) => {
      const ids = decode("AllocateRequest", bytes).containerRequests[0].devicesIds as string[];
      asked.push(`Allocate ${ids.join()}`);
      send(pluginCodec.encode("AllocateResponse", { containerResponses: [grant(ids)] }));
    },
    [pluginPath("GetPreferredAllocation")]: async (bytes, send) => {
      const [{ availableIds = [], allocationSize = 0 }] = decode("PreferredAllocationRequest", bytes).containerRequests;
      asked.push(`GetPreferredAllocation ${availableIds.join()} ${allocationSize}`);
      send(pluginCodec.encode("PreferredAllocationResponse", { containerResponses: [{ ids: preferred(availableIds, allocationSize) }] }));
    },
    [pluginPath("PreStartContainer")]: async (bytes, send) => {
      asked.push(`PreStartContainer ${decode("PreStartContainerRequest", bytes).devicesIds.join()}`);
      send(pluginCodec.encode("PreStartContainerResponse", {}));
    },
  });
  await server.listen(join(directory, endpoint));
  const kubelet = new GrpcChannel(join(directory, "kubelet.sock"), "the kubelet");
  try {
    await kubelet.unary(registerPath, pluginCodec.encode("RegisterRequest", { version, endpoint, resourceName: resource, options }), { timeoutMs: 30_000 });
  } catch (error) {
    server.close();
    throw error;
  } finally {
    kubelet.close();
  }
  return {
    asked,
    tell(...now) {
      devices = now;
      for (const tell of listeners) tell();
    },
    stop() {
      server.close();
      rmSync(join(directory, endpoint), { force: true });
    },
  };
}
