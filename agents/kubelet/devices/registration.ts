import { lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { isExtendedResource } from "../../../src/apis/core/resource-names.ts";
import type { Logger } from "../../../src/base/log.ts";
import { GrpcCode, GrpcError } from "../../../src/base/grpc/error.ts";
import { GrpcServer } from "../../../src/base/grpc/server.ts";
import type { DeviceManager } from "./device-manager.ts";
import { DevicePlugin } from "./device-plugin.ts";
import { pluginCodec, pluginVersion, registerPath, type RegisterRequest } from "./plugin-api.ts";

export interface RegistrationOptions {
  /** `<root>/device-plugins`: our socket, and those of plugins. */
  directory: string;
  manager: DeviceManager;
  log: Logger;
}

/**
 * Listens where device plugins register themselves, until `signal` aborts. Sockets left from before are removed: by that, and by our new one,
 * plugins learn that they have to register again.
 */
export async function serveRegistration({ directory, manager, log }: RegistrationOptions, signal: AbortSignal): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o750 });
  for (const name of readdirSync(directory)) if (lstatSync(join(directory, name)).isSocket()) rmSync(join(directory, name), { force: true });
  const watching = new Map<string, AbortController>();
  const server = new GrpcServer({
    [registerPath]: async (bytes, send) => {
      register(pluginCodec.decode("RegisterRequest", bytes) as RegisterRequest);
      send(pluginCodec.encode("Empty", {}));
    },
  });

  function register({ version = "", endpoint = "", resourceName = "", options = {} }: RegisterRequest): void {
    const refuse = (reason: string): GrpcError => {
      log.warn("A device plugin was refused", { resource: resourceName, reason });
      return new GrpcError(GrpcCode.Unknown, reason, registerPath);
    };
    if (version !== pluginVersion) throw refuse(`requested API version "${version}" is not supported by kubelet. Supported version is ["${pluginVersion}"]`);
    if (!isExtendedResource(resourceName)) throw refuse(`the ResourceName "${resourceName}" is invalid`);
    if (endpoint === "" || basename(endpoint) !== endpoint) throw refuse(`the endpoint "${endpoint}" is not the name of a socket in ${directory}`);
    watching.get(resourceName)?.abort();
    const stop = new AbortController();
    watching.set(resourceName, stop);
    const plugin = new DevicePlugin(resourceName, join(directory, endpoint), options);
    log.info("A device plugin has registered", { resource: resourceName, endpoint });
    manager.offer(plugin);
    void plugin.watch((devices) => manager.update(plugin, devices), AbortSignal.any([stop.signal, signal])).catch((error: unknown) => {
      if (!stop.signal.aborted && !signal.aborted) log.warn("A device plugin has gone", { resource: resourceName, error });
    }).finally(() => manager.withdraw(plugin, signal));
  }

  await server.listen(join(directory, "kubelet.sock"));
  await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })));
  server.close();
}
