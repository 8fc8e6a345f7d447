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
import { linkStandardPlace, standardPlace } from "./standard-place.ts";

export interface DevicesOptions {
  rootDir: string;
  /** Devices of this machine that pods may ask for. */
  settings: readonly DeviceSetting[];
  /** Whether this is the machine's main kubelet, to be found where others look for one. */
  isMain: boolean;
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

export function createDevices({ rootDir, settings, isMain, pods, clock, log, onCapacity, onHealth }: DevicesOptions): Devices {
  const directory = join(rootDir, "device-plugins");
  const manager = new DeviceManager({ checkpoints: new DeviceCheckpoints(join(directory, "kubelet_internal_checkpoint"), log), clock, log, onCapacity, onHealth });
  return {
    manager,
    async run(signal) {
      if (isMain) linkStandardPlace(rootDir, standardPlace, log);
      const local = settings.map((setting) => new LocalDevices({ setting, manager, clock, log }));
      await Promise.all([
        serveRegistration({ directory, manager, log }, signal), servePodResources({ socketPath: join(rootDir, "pod-resources/kubelet.sock"), manager, pods }, signal),
        ...local.map((source) => source.run(signal)),
      ]);
    },
  };
}
