import { scaledValue } from "../../apimachinery/intstr.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { DaemonSet } from "../../apis/generated/apps/v1.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { isPodAvailable } from "../pod-status.ts";
import { isUpdated } from "./daemon-pod.ts";
import type { DaemonSetView, PodsByNode } from "./plan.ts";

/** The next pods that a rolling update replaces. Source: update.go of Kubernetes' DaemonSet controller. */
export interface RolloutStep {
  create: string[];
  delete: Frozen<Pod>[];
}

/** Pods more than one a node; 0 when the update deletes the old one first. */
export function maxSurge({ spec }: Frozen<DaemonSet>, nodes: number): number {
  const { type, rollingUpdate } = spec?.updateStrategy ?? {};
  return type === "RollingUpdate" ? scaledValue(rollingUpdate?.maxSurge ?? 0, nodes, true) : 0;
}

function maxUnavailable({ spec }: Frozen<DaemonSet>, nodes: number): number {
  const { type, rollingUpdate } = spec?.updateStrategy ?? {};
  return type === "RollingUpdate" ? scaledValue(rollingUpdate?.maxUnavailable ?? 1, nodes, true) : 0;
}

/** A node's pods that stay, when there is at most one of the new and one of the old template. */
interface NodePods {
  node: string;
  newPod?: Frozen<Pod>;
  oldPod?: Frozen<Pod>;
}

export function planRollout(view: DaemonSetView, byNode: PodsByNode): RolloutStep {
  const { ds, nodes, eligible, hash } = view;
  const wanted = new Set(nodes.filter((node) => eligible(node).run).map(({ metadata }) => metadata.name!));
  const updated = isUpdated(ds, hash);
  const all = [...new Set([...byNode.keys(), ...wanted])].map((node) => nodePods(node, byNode.get(node) ?? [], updated));
  const surge = maxSurge(ds, wanted.size);
  return surge > 0 ? surgeStep(view, all, wanted, surge) : replaceStep(view, all, maxUnavailable(ds, wanted.size) || 1);
}

/** Undefined where there are more, which are about to be deleted anyhow. */
function nodePods(node: string, pods: readonly Frozen<Pod>[], updated: (pod: Frozen<Pod>) => boolean): NodePods | undefined {
  const lasting = pods.filter(({ metadata }) => !metadata.deletionTimestamp);
  const newPods = lasting.filter(updated), oldPods = lasting.filter((pod) => !updated(pod));
  if (newPods.length > 1 || oldPods.length > 1) return undefined;
  return { node, ...(newPods[0] ? { newPod: newPods[0] } : {}), ...(oldPods[0] ? { oldPod: oldPods[0] } : {}) };
}

const isAvailable = ({ ds, now }: DaemonSetView, pod: Frozen<Pod>): boolean => isPodAvailable(pod, ds.spec?.minReadySeconds ?? 0, now);

/** Deletes old pods: those that don't work anyway, and as many others as may be unavailable. */
function replaceStep(view: DaemonSetView, all: readonly (NodePods | undefined)[], allowed: number): RolloutStep {
  const broken: Frozen<Pod>[] = [], candidates: Frozen<Pod>[] = [];
  let unavailable = 0;
  for (const there of all) {
    const { newPod, oldPod } = there ?? {};
    if (oldPod && !newPod && isAvailable(view, oldPod)) {
      candidates.push(oldPod);
      continue;
    }
    if (oldPod && !newPod) broken.push(oldPod);
    if (!newPod || oldPod || !isAvailable(view, newPod)) unavailable++;
  }
  return { create: [], delete: [...broken, ...candidates.slice(0, Math.max(0, allowed - unavailable))] };
}

/** Makes new pods beside the old ones, which go once the new ones are available. */
function surgeStep(view: DaemonSetView, all: readonly (NodePods | undefined)[], wanted: ReadonlySet<string>, surge: number): RolloutStep {
  const done: Frozen<Pod>[] = [], unwanted: Frozen<Pod>[] = [];
  const urgent: string[] = [], candidates: string[] = [];
  let surging = 0, available = 0;
  for (const there of all) {
    if (!there) {
      surging++;
      continue;
    }
    const { node, newPod, oldPod } = there;
    const first = oldPod ?? newPod;
    const works = first !== undefined && isAvailable(view, first);
    if (works) available++;
    if (!oldPod) continue;
    if (newPod) {
      if (isAvailable(view, newPod)) done.push(oldPod);
      else surging++;
    } else if (wanted.has(node)) (works ? candidates : urgent).push(node);
    else (works ? unwanted : done).push(oldPod);
  }
  // A pod on a node that isn't one of ours any more still serves until enough others do.
  const spare = unwanted.slice(0, Math.max(0, available - wanted.size));
  return { create: [...urgent, ...candidates.slice(0, Math.max(0, surge - surging))], delete: [...done, ...spare] };
}
