import { statSync, watch, type FSWatcher } from "node:fs";
import type { DeviceSetting } from "../../../src/apis/kubeletconfig/device-setting.ts";
import type { Clock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import { findDevices, foldersOf, machine, type DeviceRoots, type LocalDevice } from "./device-files.ts";
import type { DeviceManager } from "./device-manager.ts";
import { noGrant, type DeviceGrant, type DeviceSource } from "./device.ts";

export interface LocalDevicesOptions {
  setting: DeviceSetting;
  manager: DeviceManager;
  clock: Clock;
  log: Logger;
  roots?: DeviceRoots;
}

/** A plug makes several files and links, one after the other. */
const settleMs = 250;

/** Devices of this machine by configuration: a device plugin within the kubelet. They may come and go while it runs. */
export class LocalDevices implements DeviceSource {
  #found = new Map<string, LocalDevice>();
  readonly #watchers = new Map<string, { watcher: FSWatcher; inode: number | undefined }>();
  #wake: () => void = () => undefined;
  constructor(private readonly options: LocalDevicesOptions) {}

  get resource(): string {
    return this.options.setting.resource;
  }

  /** Offers what there is, and what comes, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { manager, clock } = this.options;
    manager.offer(this);
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    try {
      while (!signal.aborted) {
        const changed = new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        // Before the look, so that nothing comes unseen in between.
        this.#watch();
        this.#look();
        await changed;
        await clock.sleep(settleMs, signal).catch(() => undefined);
      }
    } finally {
      for (const { watcher } of this.#watchers.values()) watcher.close();
    }
  }

  allocate(ids: readonly string[]): Promise<DeviceGrant> {
    return Promise.resolve(this.renewed(ids));
  }

  renewed(ids: readonly string[]): DeviceGrant {
    const { permissions } = this.options.setting;
    const devices = [...new Set(ids.map(baseOf))].map((id) => this.#found.get(id) ?? missing(id, this.resource));
    const files = new Map(devices.flatMap((device) => device.files).map((file) => [file.containerPath, file]));
    return {
      ...noGrant, devices: [...files.values()].map((file) => ({ ...file, permissions })),
      envs: { [variableOf(this.resource)]: devices.flatMap(({ files: [first] }) => (first ? [first.containerPath] : [])).join(",") },
    };
  }

  /** Different devices rather than the same twice, and those that the fewest others have. */
  async preferred(available: readonly string[], mustInclude: readonly string[], size: number): Promise<readonly string[]> {
    const byDevice = [...Map.groupBy(available.filter((id) => !mustInclude.includes(id)), baseOf).values()].sort((a, b) => b.length - a.length);
    const chosen = [...mustInclude];
    for (let round = 0; chosen.length < size && byDevice.some((ids) => ids.length > round); round++) {
      for (const ids of byDevice) if (ids[round] !== undefined && chosen.length < size) chosen.push(ids[round]!);
    }
    return chosen;
  }

  #look(): void {
    const { setting, manager, log, roots = machine } = this.options;
    const found = findDevices(setting, roots);
    const ids = found.map(({ id }) => id).join(",");
    if (ids !== [...this.#found.keys()].join(",")) log.info("Devices of this machine", { resource: this.resource, devices: ids || "none" });
    this.#found = new Map(found.map((device) => [device.id, device]));
    manager.update(this, found.flatMap(({ id }) => copies(id, setting.count)).map((id) => ({ id, healthy: true, numaNodes: [] })));
  }

  #watch(): void {
    const { setting, roots, log } = this.options;
    const folders = new Set(foldersOf(setting, roots));
    for (const [folder, { watcher, inode }] of this.#watchers) {
      // A folder of the same name may be another by now.
      if (folders.has(folder) && inodeOf(folder) === inode) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) {
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, () => this.#wake());
        // The folder has gone, with the last device in it.
        watcher.on("error", () => this.#forget(folder));
        this.#watchers.set(folder, { watcher, inode: inodeOf(folder) });
      } catch (error) {
        log.warn("Devices that come later are not noticed", { folder, error });
      }
    }
  }

  #forget(folder: string): void {
    this.#watchers.get(folder)?.watcher.close();
    this.#watchers.delete(folder);
    this.#wake();
  }
}

const inodeOf = (folder: string): number | undefined => statSync(folder, { throwIfNoEntry: false })?.ino;

const copies = (id: string, count: number): string[] => (count === 1 ? [id] : Array.from({ length: count }, (_, n) => `${id}::${n}`));
const baseOf = (id: string): string => id.split("::")[0]!;

/** `SKIFF_DEVICE_SERIAL` for `skiff.io/serial`: where the container finds its devices. */
const variableOf = (resource: string): string => `SKIFF_DEVICE_${resource.slice(resource.indexOf("/") + 1).toUpperCase().replace(/[^A-Z0-9]+/g, "_")}`;

function missing(id: string, resource: string): never {
  throw new Error(`the device ${id} of ${resource} is not plugged in`);
}
