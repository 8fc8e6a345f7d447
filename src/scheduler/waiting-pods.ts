import type { Clock } from "../base/clock.ts";
import { unschedulable, type Status, type StatusCode, type WaitingPod, type WaitingPods } from "./framework.ts";
import type { PodInfo } from "./pod-info.ts";

/** How a wait ended: undefined is leave to go on. */
export interface Verdict {
  readonly status: Status | undefined;
  readonly plugin: string;
}

/** Pods that permit plugins hold before they are bound. Source: kubernetes framework/runtime/waiting_pods_map.go. */
export class WaitingPodsMap implements WaitingPods {
  readonly #clock: Clock;
  readonly #pods = new Map<string, Waiting>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(uid: string): WaitingPod | undefined {
    return this.#pods.get(uid);
  }

  all(): Iterable<WaitingPod> {
    return this.#pods.values();
  }

  /** Holds the pod until each of the plugins has allowed it, or one rejects it or has waited for as many milliseconds as it said. */
  async hold(pod: PodInfo, nodeName: string, timeouts: ReadonlyMap<string, number>): Promise<Verdict> {
    const waiting = new Waiting(pod, nodeName, timeouts, this.#clock);
    this.#pods.set(pod.uid, waiting);
    return waiting.decided.finally(() => this.#pods.delete(pod.uid));
  }

  /** True when the pod was waiting, and waits no more. */
  reject(uid: string, plugin: string, message: string): boolean {
    return this.#pods.get(uid)?.reject(plugin, message) ?? false;
  }

  close(): void {
    for (const { uid } of [...this.#pods.values()].map(({ pod }) => pod)) this.#pods.get(uid)?.preempt("", "the scheduler stops");
  }
}

class Waiting implements WaitingPod {
  readonly pod: PodInfo;
  readonly nodeName: string;
  readonly decided: Promise<Verdict>;
  readonly #pending: Map<string, AbortController>;
  #decide!: (verdict: Verdict) => void;
  #done = false;

  constructor(pod: PodInfo, nodeName: string, timeouts: ReadonlyMap<string, number>, clock: Clock) {
    this.pod = pod;
    this.nodeName = nodeName;
    this.decided = new Promise((resolve) => (this.#decide = resolve));
    this.#pending = new Map([...timeouts.keys()].map((plugin) => [plugin, new AbortController()]));
    for (const [plugin, timeout] of timeouts) {
      clock.sleep(timeout, this.#pending.get(plugin)!.signal).then(() => this.reject(plugin, `rejected due to timeout after waiting ${duration(timeout)} at plugin ${plugin}`), () => {
        // It was allowed, or decided otherwise, in time.
      });
    }
  }

  get pendingPlugins(): readonly string[] {
    return [...this.#pending.keys()];
  }

  allow(plugin: string): void {
    this.#pending.get(plugin)?.abort();
    this.#pending.delete(plugin);
    if (this.#pending.size === 0) this.#end({ status: undefined, plugin });
  }

  reject(plugin: string, message: string): boolean {
    return this.#end({ status: unschedulable(message), plugin });
  }

  preempt(plugin: string, message: string): boolean {
    const code: StatusCode = "Error";
    return this.#end({ status: { code, reasons: [message] }, plugin });
  }

  #end(verdict: Verdict): boolean {
    if (this.#done) return false;
    this.#done = true;
    for (const timer of this.#pending.values()) timer.abort();
    this.#decide(verdict);
    return true;
  }
}

/** As Go writes a time.Duration. */
export function duration(ms: number): string {
  if (ms > 0 && ms < 1000) return `${ms}ms`;
  const hours = Math.floor(ms / 3_600_000), minutes = Math.floor(ms / 60_000) % 60, seconds = (ms % 60_000) / 1000;
  return `${hours ? `${hours}h` : ""}${hours || minutes ? `${minutes}m` : ""}${seconds}s`;
}
