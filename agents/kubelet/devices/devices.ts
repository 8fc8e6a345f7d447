import { join } from "node:path";
import type { DeviceSetting } from "../../../src/apis/kubeletconfig/device-setting.ts";
import type { Clock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import type { Pod } from "../pod/pod.ts";
import { DeviceCheckpoints } from "./device-checkpoint.ts";
import { DeviceManager } from "./device-manager.ts";
import { LocalDevices } from "./local-devices.ts";
import { servePodResources } from "./pod-resources.ts";
import { serveRegistration } from "./registration.ts";

export interface DevicesOptions {
  rootDir: string;
  /** Devices of this machine that pods may ask for. */
  settings: readonly DeviceSetting[];
  /** Of this node. */
  pods(): readonly Pod[];
  clock: Clock;
  log: Logger;
  onCapacity(): void;
  onHealth(uids: readonly string[]): void;
}

export interface Devices {
  manager: DeviceManager;
  /** Offers devices and lets plugins register until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export function createDevices({ rootDir, settings, pods, clock, log, onCapacity, onHealth }: DevicesOptions): Devices {
  const directory = join(rootDir, "device-plugins");
  const manager = new DeviceManager({ checkpoints: new DeviceCheckpoints(join(directory, "kubelet_internal_checkpoint"), log), clock, log, onCapacity, onHealth });
  return {
    manager,
    async run(signal) {
      // A node without one of these is a node still.
      const parts: [what: string, running: Promise<void>][] = [
        ["Device plugins can't register", serveRegistration({ directory, manager, log }, signal)],
        ["Nobody is told who has which device", servePodResources({ socketPath: join(rootDir, "pod-resources/kubelet.sock"), manager, pods }, signal)],
        ...settings.map((setting): [string, Promise<void>] => [`Devices of ${setting.resource} are not offered`, new LocalDevices({ setting, manager, clock, log }).run(signal)]),
      ];
      await Promise.all(parts.map(([what, running]) => running.catch((error: unknown) => log.error(what, { error }))));
    },
  };
}
