import type { Clock } from "../../src/base/clock.ts";
import type { Logger } from "../../src/base/log.ts";
import type { ContainerRuntime } from "../cri/cri.ts";
import { type Looked, rotateLog, RotationPace, type RotationLimits } from "./logs/rotation.ts";
import type { PodWorkers } from "./pod/pod-workers.ts";

export interface HousekeepingOptions {
  runtime: ContainerRuntime;
  clock: Clock;
  log: Logger;
  workers: PodWorkers;
  rotation: RotationLimits;
  collectImages(): Promise<void>;
}

const everyMs = 10_000, leastMs = 1000;
const imagesEveryMs = 300_000;

/** What grows is kept small: logs are rotated, unused images deleted when the disk fills. One timer, a few file sizes read each time. */
export async function housekeeping({ runtime, clock, log, workers, rotation, collectImages }: HousekeepingOptions, signal: AbortSignal): Promise<void> {
  const pace = new RotationPace(rotation, { regularMs: everyMs, leastMs }, clock.monotonic());
  let imagesAt = clock.monotonic() + imagesEveryMs;
  for (let wait = everyMs; ;) {
    try {
      await clock.sleep(wait, signal);
    } catch {
      return;
    }
    const logs = new Map<string, Looked>();
    for (const { id, logPath } of workers.runningContainers()) {
      const reopen = async (): Promise<void> => void await runtime.runtime.reopenContainerLog({ containerId: id });
      await rotateLog(logPath, rotation, clock.now(), reopen).then((looked) => logs.set(logPath, looked), (error: unknown) => log.warn("Log not rotated", { path: logPath, error }));
    }
    wait = pace.next(logs, clock.monotonic());
    if (clock.monotonic() < imagesAt) continue;
    await collectImages().catch((error: unknown) => log.warn("Images not collected", { error }));
    imagesAt = clock.monotonic() + imagesEveryMs;
  }
}
