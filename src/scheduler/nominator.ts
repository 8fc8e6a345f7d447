import type { Frozen } from "../apimachinery/meta.ts";
import type { Pod } from "../apis/generated/core/v1.ts";
import type { Nominator } from "./framework.ts";
import { podInfo, type PodInfo } from "./pod-info.ts";

const none: readonly PodInfo[] = [];

/**
 * Which pods are promised which node. A nomination made here counts before the API has it: status.nominatedNodeName follows, and what the
 * informer shows meanwhile doesn't undo it. Source: kubernetes pkg/scheduler/backend/queue/nominator.go.
 */
export class PodNominator implements Nominator {
  readonly #nodes = new Map<string, Map<string, PodInfo>>();
  readonly #nodeOf = new Map<string, string>();
  /** Grows with every change. */
  version = 0;

  get size(): number {
    return this.#nodeOf.size;
  }

  on(nodeName: string): readonly PodInfo[] {
    const pods = this.#nodes.get(nodeName);
    return pods ? [...pods.values()] : none;
  }

  nodeOf(uid: string): string | undefined {
    return this.#nodeOf.get(uid);
  }

  /** `nodeName` undefined: what the pod's status says; "": none. */
  set(pod: PodInfo, nodeName = pod.pod.status?.nominatedNodeName ?? ""): void {
    this.delete(pod.uid);
    if (!nodeName) return;
    this.version++;
    this.#nodeOf.set(pod.uid, nodeName);
    let pods = this.#nodes.get(nodeName);
    if (!pods) this.#nodes.set(nodeName, (pods = new Map()));
    pods.set(pod.uid, pod);
  }

  /** The pod has changed. As long as its status hasn't named a node, our own nomination stays. */
  update(old: Frozen<Pod>, pod: Frozen<Pod>): void {
    const own = this.#nodeOf.get(pod.metadata.uid!);
    if (own === undefined && !pod.status?.nominatedNodeName) return;
    const untold = !old.status?.nominatedNodeName && !pod.status?.nominatedNodeName;
    this.set(podInfo(pod), untold ? own : undefined);
  }

  delete(uid: string): void {
    const nodeName = this.#nodeOf.get(uid);
    if (nodeName === undefined) return;
    this.version++;
    this.#nodeOf.delete(uid);
    const pods = this.#nodes.get(nodeName)!;
    pods.delete(uid);
    if (pods.size === 0) this.#nodes.delete(nodeName);
  }
}
