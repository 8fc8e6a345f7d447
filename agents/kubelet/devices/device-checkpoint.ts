import { existsSync, readFileSync, renameSync } from "node:fs";
import { isObject } from "../../../src/apimachinery/own.ts";
import { writeFileAtomic } from "../../../src/base/files.ts";
import type { Logger } from "../../../src/base/log.ts";
import type { DeviceGrant } from "./device.ts";

/** Devices that a container has, of one resource. */
export interface Allocation {
  ids: readonly string[];
  grant: DeviceGrant;
}

/** By uid of pod, name of container, and resource. */
export type Allocations = Record<string, Record<string, Record<string, Allocation>>>;

export interface DeviceCheckpoint {
  /** Every resource that has been offered: the node goes on to have it, with no devices, until somebody offers it again. */
  resources: string[];
  pods: Allocations;
}

/** Who has which device must outlive this process: containers go on with theirs. A file that makes no sense is set aside. */
export class DeviceCheckpoints {
  constructor(private readonly path: string, private readonly log: Logger) {}

  read(): DeviceCheckpoint {
    if (!existsSync(this.path)) return { resources: [], pods: {} };
    try {
      const { resources, pods } = JSON.parse(readFileSync(this.path, "utf8")) as DeviceCheckpoint;
      if (!Array.isArray(resources) || !isObject(pods)) throw new Error("it has no resources or pods");
      return { resources, pods };
    } catch (error) {
      this.log.warn("Which pods have which devices cannot be read, set aside", { path: `${this.path}.corrupt`, error });
      renameSync(this.path, `${this.path}.corrupt`);
      return { resources: [], pods: {} };
    }
  }

  write(checkpoint: DeviceCheckpoint): void {
    writeFileAtomic(this.path, JSON.stringify(checkpoint));
  }
}
