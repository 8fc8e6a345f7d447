import type { Frozen } from "../../apimachinery/meta.ts";
import type { DaemonSet } from "../../apis/generated/apps/v1.ts";
import type { Node, Pod } from "../../apis/generated/core/v1.ts";
import { isPodAvailable, isPodReady, isPodTerminal } from "../pod-status.ts";
import { hashLabel, nodeOf } from "./daemon-pod.ts";
import type { Eligible } from "./eligibility.ts";
import { maxSurge, planRollout } from "./rollout.ts";

/** Source: manage and podsShouldBeOnNode of Kubernetes' DaemonSet controller. */

export interface DaemonSetView {
  ds: Frozen<DaemonSet>;
  nodes: readonly Frozen<Node>[];
  /** Those the DaemonSet controls. */
  pods: readonly Frozen<Pod>[];
  eligible(node: Frozen<Node>): Eligible;
  /** Of the present revision. */
  hash: string;
  now: number;
  /** Milliseconds that a failed pod of this node still has to stay, so that one which the kubelet refuses isn't made over and over. */
  heldBack(node: string): number;
}

/** A pod that ended by itself. */
export interface EndedPod {
  pod: Frozen<Pod>;
  node: string;
  reason: "FailedDaemonPod" | "SucceededDaemonPod";
}

export interface DaemonSetPlan {
  /** Names of nodes that get a pod. */
  create: string[];
  delete: Frozen<Pod>[];
  /** Those of `delete` that users should hear of. */
  ended: EndedPod[];
  /** Milliseconds until a failed pod may be replaced. */
  requeueAfter?: number;
}

export type PodsByNode = Map<string, Frozen<Pod>[]>;

/** The pods by node. Those that have ended and are about to go are nobody's business any more. */
export function podsByNode(pods: readonly Frozen<Pod>[]): PodsByNode {
  const byNode: PodsByNode = new Map();
  for (const pod of pods) {
    const node = isPodTerminal(pod) && pod.metadata.deletionTimestamp ? undefined : nodeOf(pod);
    if (node === undefined) continue;
    const there = byNode.get(node);
    if (there) there.push(pod);
    else byNode.set(node, [pod]);
  }
  return byNode;
}

/** First every node gets the pods it should have; once nothing is left to do there, a rollout goes on. */
export function planDaemonSet(view: DaemonSetView): DaemonSetPlan {
  const byNode = podsByNode(view.pods);
  const plan: DaemonSetPlan = { create: [], delete: [], ended: [] };
  for (const node of view.nodes) planNode(view, node, byNode.get(node.metadata.name!), plan);
  // Nobody else deletes a pod that was never scheduled, when its node is gone.
  const names = new Set(view.nodes.map(({ metadata }) => metadata.name!));
  for (const [node, pods] of byNode) if (!names.has(node)) plan.delete.push(...pods.filter(({ spec }) => !spec.nodeName));
  const busy = plan.create.length + plan.delete.length > 0;
  return busy || view.ds.spec?.updateStrategy?.type === "OnDelete" ? plan : { ...plan, ...planRollout(view, byNode) };
}

function planNode(view: DaemonSetView, node: Frozen<Node>, present: readonly Frozen<Pod>[] | undefined, plan: DaemonSetPlan): void {
  const name = node.metadata.name!;
  const { run, stay } = view.eligible(node);
  if (!present) {
    if (run) plan.create.push(name);
  } else if (!stay) {
    plan.delete.push(...present.filter(({ metadata }) => !metadata.deletionTimestamp));
  } else {
    const running = present.filter((pod) => !pod.metadata.deletionTimestamp && !isEnded(view, name, pod, plan)).toSorted(scheduledAndOldestFirst);
    if (maxSurge(view.ds, 1) === 0) plan.delete.push(...running.slice(1));
    else if (running.length === 0 && run) plan.create.push(name);
    else plan.delete.push(...tooManyInSurge(view, running));
  }
}

function isEnded({ heldBack }: DaemonSetView, node: string, pod: Frozen<Pod>, plan: DaemonSetPlan): boolean {
  if (!isPodTerminal(pod)) return false;
  const failed = pod.status?.phase === "Failed", wait = failed ? heldBack(node) : 0;
  if (wait > 0) plan.requeueAfter = Math.min(wait, plan.requeueAfter ?? Infinity);
  else {
    plan.ended.push({ pod, node, reason: failed ? "FailedDaemonPod" : "SucceededDaemonPod" });
    plan.delete.push(pod);
  }
  return true;
}

/** In a surge a node has an old and a new pod, as long as the old one is ready and the new one isn't available yet. */
function tooManyInSurge({ ds, hash, now }: DaemonSetView, running: readonly Frozen<Pod>[]): Frozen<Pod>[] {
  if (running.length <= 1) return [];
  const isNew = (pod: Frozen<Pod>): boolean => pod.metadata.labels?.[hashLabel] === hash;
  const newPod = running.find(isNew), oldPod = running.find((pod) => !isNew(pod));
  const replaced = newPod && oldPod && (!isPodReady(oldPod) || isPodAvailable(newPod, ds.spec?.minReadySeconds ?? 0, now));
  return running.filter((pod) => (pod !== newPod && pod !== oldPod) || (replaced && pod === oldPod));
}

/** Of several pods on a node the first counts. */
export function scheduledAndOldestFirst(a: Frozen<Pod>, b: Frozen<Pod>): number {
  const created = (pod: Frozen<Pod>): number => Date.parse(pod.metadata.creationTimestamp ?? "") || 0;
  return Number(!a.spec.nodeName) - Number(!b.spec.nodeName) || created(a) - created(b) || (a.metadata.name! < b.metadata.name! ? -1 : 1);
}
