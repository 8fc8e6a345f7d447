import { backoffDelay } from "../../../src/base/backoff.ts";
import type { Clock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import type { EventRecorder } from "../../../src/client/recorder.ts";
import type { Rejection } from "../pod/admission.ts";
import { gracePeriodSeconds, podName, type Pod } from "../pod/pod.ts";
import type { Verdict } from "../pod/verdict.ts";
import { Logind, type InhibitorLock, type LogindOptions } from "./logind.ts";
import { shutdownGroups, type ShutdownGroup, type ShutdownPeriod } from "./plan.ts";

export interface ShutdownOptions {
  clock: Clock;
  log: Logger;
  recorder: EventRecorder;
  nodeName: string;
  /** Without any there is no graceful shutdown. */
  periods: readonly ShutdownPeriod[];
  logind?: Omit<LogindOptions, "clock">;
  /** Whether the machine is going down: asked when this process is to end. */
  goesDown?(): Promise<boolean>;
  /** Those that run, or are to. */
  pods(): readonly Pod[];
  /** Ends a pod; resolves when nothing of it runs and the API, if it can be reached, knows. */
  evict(uid: string, verdict: Verdict, graceSeconds: number): Promise<void>;
  /** Whether the node is going down has changed. */
  onChange(): void;
}

/** Source: k8s.io/kubernetes/pkg/kubelet/nodeshutdown, whose words these are. */
const verdict: Verdict = { reason: "Terminated", message: "Pod was terminated in response to imminent node shutdown.", disruption: "Pod was terminated in response to imminent node shutdown." };
const rejection: Rejection = { reason: "NodeShutdown", message: "Pod was rejected as the node is shutting down." };

/** Gives pods time to end before the machine goes down: those of lower priority first. */
export class GracefulShutdown {
  readonly #options: ShutdownOptions;
  #goesDown = false;
  #lock: InhibitorLock | undefined;
  #inhibit: (() => InhibitorLock) | undefined;
  #ending?: Promise<void>;
  #told = false;

  constructor(options: ShutdownOptions) {
    this.#options = options;
  }

  /** Why the node is not ready; undefined while it stays up. */
  get reason(): string | undefined {
    return this.#goesDown ? "node is shutting down" : undefined;
  }

  /** Why a pod that comes now is not taken. */
  rejection(): Rejection | undefined {
    return this.#goesDown ? rejection : undefined;
  }

  /** Listens to logind until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, periods } = this.#options;
    if (periods.length === 0) return;
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        await this.#listen(signal, () => {
          failures = 0;
        });
      } catch (error) {
        // Said once: a machine without it has it never.
        if (!signal.aborted && !this.#told) log.warn("systemd's logind cannot be listened to: pods get their time only when Skiff is stopped before the machine goes down", { error });
        this.#told = true;
      }
      if (!signal.aborted) await clock.sleep(backoffDelay(failures, { base: 1000, max: 60_000, jitter: 0.2 }), signal).catch(() => undefined);
    }
  }

  /** This process is to end. Where it ends with the machine, pods end first. */
  async beforeEnd(): Promise<void> {
    const { periods, goesDown = machineGoesDown } = this.#options;
    if (periods.length === 0) return;
    if (this.#ending) await this.#ending;
    else if (await goesDown()) await this.#end();
  }

  async #listen(signal: AbortSignal, onConnected: () => void): Promise<void> {
    const { clock, log, periods } = this.#options;
    const logind = await Logind.connect({ clock, ...this.#options.logind }, (goesDown) => this.#heard(goesDown));
    const close = (): void => logind.close();
    signal.addEventListener("abort", close, { once: true });
    try {
      // It may have been during the connecting, which nobody interrupts.
      signal.throwIfAborted();
      await logind.raiseInhibitDelay(periods.reduce((sum, { seconds }) => sum + seconds, 0) * 1000);
      this.#inhibit = () => logind.inhibit();
      if (!this.#goesDown) this.#lock = this.#inhibit();
      onConnected();
      this.#told = false;
      log.info("Pods get time to end when the machine goes down", { seconds: periods.map(({ seconds }) => seconds).join("+") });
      await logind.closed;
    } finally {
      signal.removeEventListener("abort", close);
      logind.close();
      // While pods end the machine waits on.
      await this.#ending;
      this.#release();
      this.#inhibit = undefined;
    }
  }

  #heard(goesDown: boolean): void {
    const { recorder, log, nodeName, onChange } = this.#options;
    log.info(goesDown ? "The machine is going down" : "The machine stays up after all");
    recorder.event({ kind: "Node", apiVersion: "v1", name: nodeName, uid: nodeName, namespace: "" }, "Normal", "Shutdown", goesDown ? "Shutdown manager detected shutdown event" : "Shutdown manager detected shutdown cancellation");
    if (goesDown) void this.#end();
    else {
      this.#goesDown = false;
      this.#release();
      this.#lock = this.#inhibit?.();
      onChange();
    }
  }

  #end(): Promise<void> {
    this.#goesDown = true;
    this.#options.onChange();
    this.#ending ??= this.#endPods().finally(() => {
      this.#ending = undefined;
      this.#release();
    });
    return this.#ending;
  }

  async #endPods(): Promise<void> {
    const { periods, pods, log } = this.#options;
    for (const group of shutdownGroups(periods, pods())) await this.#endGroup(group);
    log.info("All pods have ended, or had their time");
  }

  /** Until all of them have ended, or their time is over. */
  async #endGroup({ pods, seconds, priority }: ShutdownGroup): Promise<void> {
    const { clock, log, evict } = this.#options;
    log.info("Pods end, for the machine is going down", { pods: pods.map(podName), priority, seconds });
    const over = new AbortController();
    const ended = Promise.all(pods.map((pod) => evict(pod.metadata.uid!, verdict, Math.min(seconds, gracePeriodSeconds(pod)))));
    await Promise.race([ended, clock.sleep(seconds * 1000, over.signal).catch(() => undefined)]);
    over.abort();
  }

  #release(): void {
    this.#lock?.release();
    this.#lock = undefined;
  }
}

/** As systemd sees it; without systemd nobody can say. */
async function machineGoesDown(): Promise<boolean> {
  try {
    const child = Bun.spawn(["systemctl", "is-system-running"], { stdin: "ignore", stdout: "pipe", stderr: "ignore", timeout: 5000 });
    return (await new Response(child.stdout).text()).trim() === "stopping";
  } catch {
    return false;
  }
}
