import type { Frozen } from "../../src/apimachinery/meta.ts";
import type { EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import type { Clock } from "../../src/base/clock.ts";

const triggerTimeAnnotation = "endpoints.kubernetes.io/last-change-trigger-time";

/** How long it takes from the change of an endpoint, as its slice tells, until it is in the rules. Changes from before the start don't count. */
export class ProgrammingLatency {
  readonly #startedAt: number;
  readonly #seen = new Map<string, string>();

  constructor(private readonly clock: Clock) {
    this.#startedAt = clock.now();
  }

  applied(keys: Iterable<string>, slicesOf: (key: string) => readonly Frozen<EndpointSlice>[], observe: (seconds: number) => void): void {
    const now = this.clock.now();
    for (const key of keys) {
      const slices = slicesOf(key);
      if (slices.length === 0) this.#seen.delete(key);
      for (const { metadata: { annotations } } of slices) {
        const time = annotations?.[triggerTimeAnnotation];
        if (!time || time <= (this.#seen.get(key) ?? "")) continue;
        this.#seen.set(key, time);
        const changedAt = Date.parse(time);
        if (changedAt >= this.#startedAt && changedAt <= now) observe((now - changedAt) / 1000);
      }
    }
  }
}
