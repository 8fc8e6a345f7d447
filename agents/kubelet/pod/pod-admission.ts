import type { Clock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import type { EventRecorder } from "../../../src/client/recorder.ts";
import { NodeRoom, type Failure, type NodeSource, type Rejection } from "./admission.ts";
import { podReference } from "./container-reference.ts";
import { gracePeriodSeconds, podName, type Pod } from "./pod.ts";
import { isCritical, podsToPreempt } from "./preemption.ts";
import type { Verdict } from "./verdict.ts";

export interface PodAdmissionOptions {
  node: NodeSource;
  recorder: EventRecorder;
  clock: Clock;
  log: Logger;
  /** Ends a pod of the node; resolves when nothing of it runs. */
  evict(uid: string, verdict: Verdict): Promise<void>;
  /** What the node's own state says against any newcomer. */
  gate?(pod: Pod): Rejection | undefined;
  /** A pod has gone: others may grow into its room. */
  onRoom?(): void;
  /** Gives pods their devices, or says why not. */
  devices: { allocate(pod: Pod, isActive: (uid: string) => boolean): Promise<string | undefined>; release(uid: string): void };
}

/** The least a pod that must go is waited for, whatever its grace. */
const leastPreemptionMs = 10_000;

const preempted: Verdict = { reason: "Preempting", message: "Preempted in order to admit critical pod", disruption: "Pod was preempted by Kubelet to accommodate a critical pod." };

/** Decides which pods the node runs, one after the other, as they come. */
export class PodAdmission {
  readonly #options: PodAdmissionOptions;
  readonly #room = new NodeRoom();
  /** While room is being made, nobody else is judged: who goes has not left yet. */
  #makingRoom: Promise<unknown> | undefined;

  constructor(options: PodAdmissionOptions) {
    this.#options = options;
  }

  /** The node has taken this pod before: it stays, whatever has changed since. */
  remember(pod: Pod): void {
    this.#room.take(pod);
  }

  /** The pod takes nothing any more. */
  release(uid: string): void {
    this.#room.release(uid);
    this.#options.devices.release(uid);
    this.#options.onRoom?.();
  }

  /** Gives a pod of the node what it asks for by now, instead of what it had; else says why not. */
  regrant(pod: Pod): string | undefined {
    return this.#room.resize(pod, this.#options.node.known())[0]?.message;
  }

  /** Why the node does not take the pod, which an Event has told then; undefined when it does, or has. */
  async admit(pod: Pod, signal: AbortSignal): Promise<Rejection | undefined> {
    if (this.#room.has(pod.metadata.uid!)) return undefined;
    while (this.#makingRoom) await this.#makingRoom;
    const closed = this.#options.gate?.(pod);
    if (closed) {
      this.#options.recorder.event(podReference(pod), "Warning", closed.reason, closed.message);
      return closed;
    }
    const failures = await this.#room.admit(pod, this.#options.node);
    const short = failures.length === 0 ? undefined : isCritical(pod) ? await this.#insist(pod, failures, signal) : failures[0];
    const rejection = short ?? (await this.#withoutDevices(pod));
    if (rejection) this.#options.recorder.event(podReference(pod), "Warning", rejection.reason, rejection.message);
    return rejection;
  }

  /** A pod that can't have the devices it asks for doesn't stay. */
  async #withoutDevices(pod: Pod): Promise<Rejection | undefined> {
    const problem = await this.#options.devices.allocate(pod, (uid) => this.#room.has(uid));
    if (problem === undefined) return undefined;
    this.#room.release(pod.metadata.uid!);
    return { reason: "UnexpectedAdmissionError", message: `Allocate failed due to ${problem}, which is unexpected` };
  }

  /** A critical pod doesn't fail for want of resources: others make room for it. */
  async #insist(pod: Pod, failures: readonly Failure[], signal: AbortSignal): Promise<Rejection | undefined> {
    const hopeless = failures.find(({ shortage }) => !shortage);
    if (hopeless) return hopeless;
    const shortages = failures.map(({ shortage }) => shortage!);
    const victims = podsToPreempt(pod, this.#room.pods(), shortages);
    if (!victims) {
      const wanted = shortages.map(({ resource, amount }) => `(res: ${resource}, q: ${amount}), `).join("");
      return { reason: "UnexpectedAdmissionError", message: `Unexpected error while attempting to recover from admission failure: preemption: error finding a set of pods to preempt: no set of running pods found to reclaim resources: [${wanted}]` };
    }
    this.#options.log.info("Pods make room for a critical one", { pod: podName(pod), victims: victims.map(podName) });
    this.#room.take(pod);
    this.#makingRoom = Promise.all(victims.map((victim) => this.#preempt(victim, signal))).finally(() => {
      this.#makingRoom = undefined;
    });
    await this.#makingRoom;
    return undefined;
  }

  /** Until it has ended, or takes so long that it isn't waited for. */
  async #preempt(victim: Pod, signal: AbortSignal): Promise<void> {
    const { clock, recorder, evict } = this.#options;
    recorder.event(podReference(victim), "Warning", preempted.reason, preempted.message);
    const patience = new AbortController();
    const limit = Math.max(leastPreemptionMs, gracePeriodSeconds(victim) * 1500);
    await Promise.race([evict(victim.metadata.uid!, preempted), clock.sleep(limit, AbortSignal.any([signal, patience.signal])).catch(() => undefined)]);
    patience.abort();
  }
}
