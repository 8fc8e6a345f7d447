import { isMet, pressureOf, type Observations, type Pressure, type Threshold } from "./thresholds.ts";

/** What the node's observations mean. */
export interface Verdict {
  /** Those that hold, or held not long ago. */
  pressures: readonly Pressure[];
  /** Thresholds that call for action now, memory's first. */
  due: readonly Threshold[];
}

/** What a series of observations amounts to; times are of a monotonic clock. Source: k8s.io/kubernetes/pkg/kubelet/eviction synchronize. */
export class PressureHistory {
  /** Since when thresholds are met. */
  #since = new Map<Threshold, number>();
  /** Those that were due and are not resolved yet. */
  #unresolved: readonly Threshold[] = [];
  readonly #lastSeen = new Map<Pressure, number>();

  constructor(private readonly thresholds: readonly Threshold[], private readonly transitionMs: number) {}

  observe(observations: Observations, now: number): Verdict {
    const met = this.thresholds.filter((threshold) => isMet(threshold, observations) || (this.#unresolved.includes(threshold) && isMet(threshold, observations, true)));
    this.#since = new Map(met.map((threshold) => [threshold, this.#since.get(threshold) ?? now]));
    for (const { signal } of met) this.#lastSeen.set(pressureOf[signal], now);
    for (const [pressure, seen] of this.#lastSeen) if (seen !== now && now - seen >= this.transitionMs) this.#lastSeen.delete(pressure);
    this.#unresolved = met.filter((threshold) => now - this.#since.get(threshold)! >= threshold.graceMs);
    return {
      pressures: [...this.#lastSeen.keys()],
      due: this.#unresolved.toSorted((a, b) => Number(b.signal === "memory.available") - Number(a.signal === "memory.available")),
    };
  }

  /** Whether nothing is short any more, with what was to be free again. */
  resolved(observations: Observations): boolean {
    return !this.thresholds.some((threshold) => isMet(threshold, observations, true));
  }
}
