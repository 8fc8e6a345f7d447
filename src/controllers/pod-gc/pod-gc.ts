import { keyOf, type Frozen } from "../../apimachinery/meta.ts";
import { isNotFound } from "../../apimachinery/status.ts";
import { formatTime } from "../../apimachinery/time.ts";
import { nodes, pods } from "../../apis/builtins.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Controller, type ReconcileContext } from "../../client/controller.ts";
import { isPodTerminal } from "../pod-status.ts";
import type { PodsByNode } from "../pods-by-node.ts";
import { finalStatus, isOutOfService, planPod, surplusTerminated, type Whereabouts } from "./plan.ts";

export interface PodGcOptions {
  /** Finished pods that are kept. */
  terminatedPodThreshold?: number;
  podsByNode: PodsByNode;
}

/**
 * Removes pods that no kubelet will: of nodes that are gone or out of service, deleted before they were scheduled, and finished ones
 * beyond a number. Make one for each start.
 */
export function podGc({ terminatedPodThreshold = 12_500, podsByNode }: PodGcOptions): Controller {
  /** When nodes were first missed, in time that passes. */
  const missing = new Map<string, number>();
  const terminated = new Set<string>();

  function whereabouts(name: string | undefined, { lister, monotonic }: ReconcileContext): Whereabouts {
    if (!name) return undefined;
    const node = lister(nodes).get(name);
    if (node) return { node };
    const since = missing.get(name) ?? monotonic();
    missing.set(name, since);
    return { missingFor: monotonic() - since };
  }

  return defineController<Pod>({
    name: "pod-garbage-collector", writes: [pods], reads: [nodes], workers: 5,
    watches: [
      watchOf(pods, (current, old, { lister }) => {
        podsByNode.track(current, old);
        const key = keyOf(current ?? old!);
        const was = terminated.has(key), is = current !== undefined && isPodTerminal(current);
        if (is) terminated.add(key);
        else terminated.delete(key);
        if (old?.spec.nodeName && podsByNode.isEmpty(old.spec.nodeName)) missing.delete(old.spec.nodeName);
        if (!current) return [];
        const homeless = current.spec.nodeName !== undefined && current.spec.nodeName !== old?.spec.nodeName && !lister(nodes).get(current.spec.nodeName);
        return homeless || current.metadata.deletionTimestamp || (is && !was && terminated.size > terminatedPodThreshold) ? [key] : [];
      }),
      watchOf(nodes, (current, old, { monotonic }) => {
        const name = (current ?? old!).metadata.name!;
        if (current) missing.delete(name);
        else if (!podsByNode.isEmpty(name)) missing.set(name, monotonic());
        const outOfService = current !== undefined && isOutOfService(current) && !(old && isOutOfService(old));
        return outOfService || !current ? podsByNode.on(name) : [];
      }),
    ],
    async reconcile(key, context) {
      const { lister } = context;
      const pod = lister(pods).get(key);
      if (!pod) return;
      const fate = planPod(pod, whereabouts(pod.spec.nodeName, context));
      if (fate.action === "wait") return { requeueAfter: fate.for };
      if (fate.action === "delete") await remove(pod, fate.reason, context);
      else if (terminated.size > terminatedPodThreshold && terminatedPodThreshold > 0) {
        const finished = [...terminated].map((name) => lister(pods).get(name)).filter((p) => p !== undefined);
        for (const surplus of surplusTerminated(finished, terminatedPodThreshold)) await remove(surplus, "surplus", context);
      }
    },
  });
}

async function remove(pod: Frozen<Pod>, reason: Parameters<typeof finalStatus>[1], { client, now }: ReconcileContext): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  const status = finalStatus(pod, reason, formatTime(now()));
  try {
    if (status) await client.patch(pods, { namespace, name: name! }, { type: "application/strategic-merge-patch+json", body: { metadata: { uid }, status } }, { subresource: "status" });
    await client.delete(pods, { namespace, name: name! }, { gracePeriodSeconds: 0, preconditions: { uid } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
