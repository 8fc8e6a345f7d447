import type { Clock } from "../../src/base/clock.ts";
import type { Logger } from "../../src/base/log.ts";
import type { ContainerRuntime } from "../cri/cri.ts";
import { rotateLog, type RotationLimits } from "./logs/rotation.ts";
import type { PodWorkers } from "./pod/pod-workers.ts";

export interface HousekeepingOptions {
  runtime: ContainerRuntime;
  clock: Clock;
  log: Logger;
  workers: PodWorkers;
  rotation: RotationLimits;
  collectImages(): Promise<void>;
}

const everyMs = 10_000;
const imagesEvery = 30;

/** What grows is kept small: logs are rotated, unused images deleted when the disk fills. One timer, a few file sizes read each time. */
export async function housekeeping({ runtime, clock, log, workers, rotation, collectImages }: HousekeepingOptions, signal: AbortSignal): Promise<void> {
  for (let round = 1; ; round++) {
    try {
      await clock.sleep(everyMs, signal);
    } catch {
      return;
    }
    for (const { id, logPath } of workers.runningContainers()) {
      await rotateLog(logPath, rotation, clock.now(), async () => {
        await runtime.runtime.reopenContainerLog({ containerId: id });
      }).catch((error: unknown) => log.warn("Log not rotated", { path: logPath, error }));
    }
    if (round % imagesEvery === 0) await collectImages().catch((error: unknown) => log.warn("Images not collected", { error }));
  }
}
