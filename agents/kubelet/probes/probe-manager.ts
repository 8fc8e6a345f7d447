import type { Clock } from "../../../src/base/clock.ts";
import { DelayHeap } from "../../../src/base/delay-heap.ts";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { Probe } from "../../../src/apis/generated/core/v1.ts";
import type { EventRecorder } from "../../../src/client/recorder.ts";
import type { ContainerRuntime } from "../../cri/cri.ts";
import { containerReference } from "../pod/container-reference.ts";
import { allContainers, isInitContainer, isSidecar, type Container, type Pod } from "../pod/pod.ts";
import type { ProbeVerdict } from "../pod/plan.ts";
import { latestContainer, type RuntimePod } from "../runtime/runtime-status.ts";
import { probeOnce } from "./prober.ts";

type ProbeType = "startup" | "liveness" | "readiness";
const fields = { startup: "startupProbe", liveness: "livenessProbe", readiness: "readinessProbe" } as const;
const titles = { startup: "Startup", liveness: "Liveness", readiness: "Readiness" } as const;

/** One probe of one running container. */
interface Entry {
  type: ProbeType;
  uid: string;
  pod: Pod;
  container: Container;
  containerId: string;
  podIp: string;
  startedAt: number;
  verdict?: "success" | "failure";
  /** The last result and how often it came in a row. */
  last?: "success" | "failure";
  run: number;
  busy: boolean;
  counts: Record<"successful" | "failed" | "unknown", number>;
}

/** How often a running container's probe ended how. */
export interface ProbeResults {
  pod: Pod;
  container: string;
  type: ProbeType;
  counts: Readonly<Record<"successful" | "failed" | "unknown", number>>;
}

const outcomes = { success: "successful", failure: "failed", errored: "unknown" } as const;

export interface ProbeManagerOptions {
  runtime: ContainerRuntime;
  recorder: EventRecorder;
  clock: Clock;
  /** A verdict changed. */
  onChange(uid: string): void;
}

/** All probes of the node, on one timer. Source: k8s.io/kubernetes/pkg/kubelet/prober. */
export class ProbeManager {
  readonly #entries = new Map<string, Entry>();
  readonly #due = new DelayHeap<string>();
  #sleeping?: AbortController;
  constructor(private readonly options: ProbeManagerOptions) {}

  /** Makes the probes fit the pod's running containers: begins those of new ones, ends those of ended ones. Whether a pod that is ending lives is not asked for any more. */
  sync(pod: Pod, runtime: RuntimePod, podIp: string, ending = false): void {
    const uid = pod.metadata.uid!;
    const wanted = new Set<string>();
    for (const container of allContainers(pod)) {
      const current = latestContainer(runtime, container.name);
      if (current?.state !== "running" || (isInitContainer(pod, container.name) && !isSidecar(container))) continue;
      for (const type of ["startup", "liveness", "readiness"] as const) {
        const probe = container[fields[type]];
        if (!probe || (ending && type === "liveness")) continue;
        const key = `${type}/${current.id}`;
        wanted.add(key);
        const entry = this.#entries.get(key);
        if (entry) Object.assign(entry, { pod, container, podIp });
        else this.#begin(key, probe, { type, uid, pod, container, containerId: current.id, podIp, startedAt: current.startedAt, run: 0, busy: false, counts: { successful: 0, failed: 0, unknown: 0 } });
      }
    }
    for (const [key, entry] of this.#entries) if (entry.uid === uid && !wanted.has(key)) this.#entries.delete(key);
  }

  forget(uid: string): void {
    for (const [key, entry] of this.#entries) if (entry.uid === uid) this.#entries.delete(key);
  }

  verdict(containerId: string): ProbeVerdict {
    return { startup: this.#entries.get(`startup/${containerId}`)?.verdict, liveness: this.#entries.get(`liveness/${containerId}`)?.verdict };
  }

  started(container: Container, containerId: string): boolean {
    return !container.startupProbe || this.#entries.get(`startup/${containerId}`)?.verdict === "success";
  }

  ready(container: Container, containerId: string): boolean {
    return !container.readinessProbe || this.#entries.get(`readiness/${containerId}`)?.verdict === "success";
  }

  /** Of all probes that there are now. */
  *results(): Iterable<ProbeResults> {
    for (const { pod, container, type, counts } of this.#entries.values()) yield { pod, container: container.name, type, counts };
  }

  /** A running container that was ready before this process began counts as ready until its probe says otherwise. */
  assume(containerId: string, verdict: { ready: boolean; started: boolean }): void {
    const readiness = this.#entries.get(`readiness/${containerId}`);
    if (readiness && !readiness.last && verdict.ready) readiness.verdict = "success";
    const startup = this.#entries.get(`startup/${containerId}`);
    if (startup && !startup.last && verdict.started) startup.verdict = "success";
  }

  /** Probes when probes are due, until `signal` aborts. Sleeps while there are none. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    while (!signal.aborted) {
      const now = clock.monotonic();
      for (const key of this.#due.due(now)) void this.#probe(key);
      const wait = this.#due.nextAt === undefined ? 24 * 3600 * 1000 : Math.max(0, this.#due.nextAt - now);
      this.#sleeping = new AbortController();
      await clock.sleep(wait, AbortSignal.any([signal, this.#sleeping.signal])).catch(() => {});
    }
  }

  #begin(key: string, probe: Frozen<Probe>, entry: Entry): void {
    this.#entries.set(key, entry);
    const { clock } = this.options;
    const delay = (probe.initialDelaySeconds ?? 0) * 1000;
    // Probes of containers found running at start are spread over their period, so that they don't come all at once.
    const age = Math.max(0, clock.now() - entry.startedAt);
    const wait = age > Math.max(delay, 5000) ? Math.random() * periodOf(probe) : Math.max(0, delay - age);
    this.#schedule(key, clock.monotonic() + wait);
  }

  /** `at` is in time that passes: a clock that is set neither hurries a probe nor puts it off. */
  #schedule(key: string, at: number): void {
    const before = this.#due.nextAt;
    this.#due.add(key, at);
    if (before === undefined || at < before) this.#sleeping?.abort();
  }

  async #probe(key: string): Promise<void> {
    const entry = this.#entries.get(key);
    const probe = entry?.container[fields[entry.type]];
    if (!entry || !probe || entry.busy) return;
    const begun = this.options.clock.monotonic();
    const startup = this.#entries.get(`startup/${entry.containerId}`);
    const paused = entry.type === "startup" ? entry.verdict === "success" : startup !== undefined && startup.verdict !== "success";
    // A startup probe that has succeeded is over; the others wait for it.
    if (paused && entry.type === "startup") return;
    if (!paused) {
      entry.busy = true;
      const { result, output, warning } = await probeOnce(probe, { runtime: this.options.runtime, container: entry.container, containerId: entry.containerId, podIp: entry.podIp });
      entry.busy = false;
      entry.counts[outcomes[result]]++;
      if (this.#entries.get(key) !== entry) return;
      if (warning) this.options.recorder.event(containerReference(entry.pod, entry.container), "Warning", "ProbeWarning", `${titles[entry.type]} probe warning: ${warning}`);
      if (result !== "errored") this.#record(entry, probe, result, output);
    }
    this.#schedule(key, Math.max(this.options.clock.monotonic(), begun + periodOf(probe)));
  }

  #record(entry: Entry, probe: Frozen<Probe>, result: "success" | "failure", output: string): void {
    entry.run = entry.last === result ? entry.run + 1 : 1;
    entry.last = result;
    if (result === "failure") {
      this.options.recorder.event(containerReference(entry.pod, entry.container), "Warning", "Unhealthy", `${titles[entry.type]} probe failed: ${output}`);
    }
    const threshold = result === "success" ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
    if (entry.run < threshold || entry.verdict === result) return;
    entry.verdict = result;
    if (entry.type === "startup" && result === "success") this.#wakeOthers(entry.containerId);
    this.options.onChange(entry.uid);
  }

  /** What waited for the startup probe may begin at once. */
  #wakeOthers(containerId: string): void {
    for (const type of ["liveness", "readiness"] as const) if (this.#entries.has(`${type}/${containerId}`)) this.#schedule(`${type}/${containerId}`, this.options.clock.monotonic());
  }
}

const periodOf = (probe: Frozen<Probe>): number => (probe.periodSeconds ?? 10) * 1000;
