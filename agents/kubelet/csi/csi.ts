import type { Frozen } from "../../../src/apimachinery/meta.ts";
import { isNotFound } from "../../../src/apimachinery/status.ts";
import type { Node } from "../../../src/apis/generated/core/v1.ts";
import { csidrivers } from "../../../src/apis/storage/csidriver.ts";
import { volumeattachments } from "../../../src/apis/storage/volumeattachment.ts";
import type { KeptAnswers } from "../volumes/kept-answers.ts";
import { CsiDrivers, type CsiDriversOptions } from "./csi-drivers.ts";
import { CsiVolumes, type CsiOptions } from "./csi-volumes.ts";

export interface Csi {
  volumes: CsiVolumes;
  /** The Node has changed: it may be another of its name. */
  nodeChanged(old: Frozen<Node> | undefined, node: Frozen<Node> | undefined): void;
  /** Follows the drivers until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export type CsiSettings = Omit<CsiDriversOptions & CsiOptions, "drivers" | "driverSpec" | "attachment"> & { kept: KeptAnswers };

/** All of CSI on this node: its drivers, and their volumes. */
export function createCsi({ kept, ...options }: CsiSettings): Csi {
  const { client } = options;
  const drivers = new CsiDrivers(options);
  const orMissing = <T>(found: Promise<T>): Promise<T | undefined> => found.catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
  const volumes = new CsiVolumes({
    ...options, drivers,
    driverSpec: async (name) => (await kept.ask(`csidriver/${name}`, () => orMissing(client.get(csidrivers, { name })))).answer?.spec,
    attachment: async (name) => (await kept.ask(`volumeattachment/${name}`, () => orMissing(client.get(volumeattachments, { name })))).answer,
  });
  let running: AbortSignal | undefined, uid: string | undefined;
  return {
    volumes,
    nodeChanged(old, node) {
      if (running && uid && node && node.metadata.uid !== uid) void drivers.announce(running);
      uid = node?.metadata.uid ?? uid;
      const { volumesInUse, volumesAttached } = node?.status ?? {};
      if (node && !Bun.deepEquals([volumesInUse, volumesAttached], [old?.status?.volumesInUse, old?.status?.volumesAttached])) options.onDrivers();
    },
    run(signal) {
      running = signal;
      return drivers.run(signal);
    },
  };
}
