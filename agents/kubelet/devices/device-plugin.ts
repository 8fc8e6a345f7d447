import { GrpcChannel } from "../../../src/base/grpc/channel.ts";
import type { Device, DeviceGrant, DeviceSource } from "./device.ts";
import { pluginCodec, pluginPath, type PluginDevice, type PluginGrant, type PluginOptions } from "./plugin-api.ts";

/** What a call may take; Kubernetes gives PreStartContainer half a minute, too. */
const callTimeoutMs = 30_000;

/** A device plugin that has registered itself, reached at its own socket. */
export class DevicePlugin implements DeviceSource {
  readonly #channel: GrpcChannel;
  readonly preferred?: DeviceSource["preferred"];
  readonly beforeStart?: DeviceSource["beforeStart"];
  constructor(readonly resource: string, readonly socketPath: string, { preStartRequired, getPreferredAllocationAvailable }: PluginOptions) {
    this.#channel = new GrpcChannel(socketPath, `the device plugin of ${resource}`);
    if (getPreferredAllocationAvailable) this.preferred = (available, mustInclude, size) => this.#preferred(available, mustInclude, size);
    if (preStartRequired) this.beforeStart = (ids) => this.#beforeStart(ids);
  }

  /** Tells the devices, and each change of them, until the plugin ends or `signal` aborts. Throws `GrpcError` when the stream breaks. */
  async watch(onDevices: (devices: readonly Device[]) => void, signal: AbortSignal): Promise<void> {
    try {
      await this.#channel.stream(pluginPath("ListAndWatch"), pluginCodec.encode("Empty", {}), (bytes) => {
        const { devices = [] } = pluginCodec.decode("ListAndWatchResponse", bytes) as { devices?: PluginDevice[] };
        onDevices(devices.map(({ id = "", health, topology }) => ({ id, healthy: health === "Healthy", numaNodes: (topology?.nodes ?? []).map((node) => node.id ?? 0) })));
      }, { signal });
    } finally {
      this.#channel.close();
    }
  }

  async allocate(ids: readonly string[]): Promise<DeviceGrant> {
    const { containerResponses: [grant] = [] } = await this.#call("Allocate", "AllocateRequest", "AllocateResponse", { containerRequests: [{ devicesIds: ids }] }) as { containerResponses?: PluginGrant[] };
    if (!grant) throw new Error(`no containers return in allocation response of the device plugin of ${this.resource}`);
    const { envs = {}, mounts = [], devices = [], annotations = {}, cdiDevices = [] } = grant;
    return {
      envs, annotations, cdiDevices: cdiDevices.map(({ name = "" }) => name),
      mounts: mounts.map(({ containerPath = "", hostPath = "", readOnly = false }) => ({ containerPath, hostPath, readOnly })),
      devices: devices.map(({ containerPath = "", hostPath = "", permissions = "" }) => ({ containerPath, hostPath, permissions })),
    };
  }

  async #preferred(available: readonly string[], mustInclude: readonly string[], size: number): Promise<readonly string[]> {
    const request = { containerRequests: [{ availableIds: available, mustIncludeIds: mustInclude, allocationSize: size }] };
    const { containerResponses: [answer] = [] } = await this.#call("GetPreferredAllocation", "PreferredAllocationRequest", "PreferredAllocationResponse", request) as { containerResponses?: { ids?: string[] }[] };
    return answer?.ids ?? [];
  }

  async #beforeStart(ids: readonly string[]): Promise<void> {
    await this.#call("PreStartContainer", "PreStartContainerRequest", "PreStartContainerResponse", { devicesIds: ids });
  }

  async #call(method: string, requestType: string, responseType: string, request: Record<string, unknown>): Promise<Record<string, unknown>> {
    return pluginCodec.decode(responseType, await this.#channel.unary(pluginPath(method), pluginCodec.encode(requestType, request), { timeoutMs: callTimeoutMs }));
  }
}
