import { keyOf, type Frozen } from "../../apimachinery/meta.ts";
import { isNotFound } from "../../apimachinery/status.ts";
import { pods } from "../../apis/core/pod/pod.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import type { Lister } from "../../client/informer.ts";
import type { Handle } from "../framework.ts";
import { conditionPatch } from "../pod-condition.ts";
import type { PodInfo } from "../pod-info.ts";
import type { Candidate } from "./candidates.ts";

/**
 * Removes the victims in the background. Until their deletion has begun, the pod isn't tried again: its `isRunning` keeps it out of the queue.
 * Source: kubernetes framework/preemption/executor.go, KEP 4832.
 */
export class PreemptionExecutor {
  readonly #handle: Handle;
  readonly #plugin: string;
  readonly #pods: Lister<Pod>;
  /** By the uid of the pod that preempts: the last victim, as soon as only that one is left. */
  readonly #running = new Map<string, Frozen<Pod> | undefined>();

  constructor(handle: Handle, plugin: string) {
    this.#handle = handle;
    this.#plugin = plugin;
    this.#pods = handle.lister(pods);
  }

  isRunning(uid: string): boolean {
    if (!this.#running.has(uid)) return false;
    const last = this.#running.get(uid);
    if (!last) return true;
    // Its deletion is seen here before the call returns, and what wakes the pod may come with it.
    const now = this.#pods.get(keyOf(last));
    return now !== undefined && !now.metadata.deletionTimestamp;
  }

  run({ nodeName, victims }: Candidate, preemptor: PodInfo): void {
    const alive = victims.filter(({ pod }) => !pod.metadata.deletionTimestamp);
    if (alive.length === 0) return;
    this.#handle.metrics.preemptionVictims.observe(victims.length);
    this.#running.set(preemptor.uid, undefined);
    this.#handle.inBackground(this.#prepare(nodeName, alive, preemptor));
  }

  async #prepare(nodeName: string, victims: readonly PodInfo[], preemptor: PodInfo): Promise<void> {
    let failure: unknown;
    const note = (error: unknown): void => void (failure ??= error);
    const last = victims.at(-1)!;
    await this.#releaseLesser(nodeName, preemptor).catch(note);
    await Promise.all(victims.slice(0, -1).map((victim) => this.#preempt(nodeName, victim, preemptor))).then(async () => {
      this.#running.set(preemptor.uid, last.pod);
      await this.#preempt(nodeName, last, preemptor);
    }).catch(note);
    this.#running.delete(preemptor.uid);
    if (failure === undefined) return;
    this.#handle.log.warn("Preempting pods failed, will try again", { pod: preemptor.key, node: nodeName, error: failure });
    this.#handle.backOff(preemptor.pod);
  }

  /** Pods of less priority that were promised the node may not fit now: they are to look elsewhere. */
  async #releaseLesser(nodeName: string, preemptor: PodInfo): Promise<void> {
    const lesser = this.#handle.nominator.on(nodeName).filter(({ pod, priority }) => priority < preemptor.priority && pod.status?.nominatedNodeName);
    await Promise.all(lesser.map(({ pod }) => this.#patch(pod, { nominatedNodeName: null })));
  }

  async #preempt(nodeName: string, victim: PodInfo, preemptor: PodInfo): Promise<void> {
    const { recorder } = this.#handle;
    const message = `Preempted by pod ${preemptor.uid} on node ${nodeName}`;
    if (this.#stopBinding(victim)) return recorder.event(victim.pod, "Normal", "Preempted", `${message} (in kube-scheduler memory).`);
    try {
      await this.#patch(victim.pod, conditionPatch(victim.pod, { type: "DisruptionTarget", status: "True", reason: "PreemptionByScheduler", message: `${preemptor.pod.spec.schedulerName}: preempting to accommodate a higher priority pod` }, this.#handle.clock.now()));
      await this.#handle.client.delete(pods, keysOf(victim.pod), { preconditions: { uid: victim.uid } });
    } catch (error) {
      if (isNotFound(error)) return;
      throw error;
    }
    recorder.event(victim.pod, "Normal", "Preempted", message);
  }

  /** A victim that isn't bound yet needn't be deleted: it goes back to the queue. */
  #stopBinding({ uid }: PodInfo): boolean {
    const waiting = this.#handle.waitingPods.get(uid);
    return waiting ? waiting.preempt(this.#plugin, "preempted") : this.#handle.cancelPreBind(uid, `preempted by ${this.#plugin}`);
  }

  async #patch(pod: Frozen<Pod>, status: Record<string, unknown>): Promise<void> {
    await this.#handle.client.patch(pods, keysOf(pod), { type: "application/strategic-merge-patch+json", body: { metadata: { uid: pod.metadata.uid }, status } }, { subresource: "status" });
  }
}

const keysOf = ({ metadata }: Frozen<Pod>): { namespace: string; name: string } => ({ namespace: metadata.namespace!, name: metadata.name! });
