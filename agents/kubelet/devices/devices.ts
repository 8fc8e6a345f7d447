import { join } from "node:path";
import type { Clock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import { DeviceCheckpoints } from "./device-checkpoint.ts";
import { DeviceManager } from "./device-manager.ts";
import { serveRegistration } from "./registration.ts";

export interface DevicesOptions {
  rootDir: string;
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

export function createDevices({ rootDir, clock, log, onCapacity, onHealth }: DevicesOptions): Devices {
  const directory = join(rootDir, "device-plugins");
  const manager = new DeviceManager({ checkpoints: new DeviceCheckpoints(join(directory, "kubelet_internal_checkpoint"), log), clock, log, onCapacity, onHealth });
  return { manager, run: (signal) => serveRegistration({ directory, manager, log }, signal) };
}
