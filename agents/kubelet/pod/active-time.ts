import type { Clock } from "../../../src/base/clock.ts";
import type { Pod } from "./pod.ts";

/**
 * For how many milliseconds a pod has been active since `startTime`. From the first look on that is time that passes, so that a clock that is set
 * neither ends the pod nor spares it. What was before is read off the clock: nothing when that lies ahead; and no pod was active before there was one,
 * whatever the clock of the machine said then.
 */
export class ActiveTime {
  #since?: number;
  constructor(private readonly clock: Clock) {}

  of({ metadata }: Pod, startTime: string): number {
    const { clock } = this;
    const started = Math.max(Date.parse(startTime), Date.parse(metadata.creationTimestamp ?? startTime));
    this.#since ??= clock.monotonic() - Math.max(0, clock.now() - started);
    return clock.monotonic() - this.#since;
  }
}
