import { keyOf, splitKey, type Frozen } from "../../apimachinery/meta.ts";
import { isNotFound } from "../../apimachinery/status.ts";
import { formatTime } from "../../apimachinery/time.ts";
import { nodes, pods } from "../../apis/builtins.ts";
import type { Pod, PodCondition } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Controller, type ReconcileContext } from "../../client/controller.ts";
import { podCondition } from "../pod-status.ts";
import type { PodsByNode } from "../pods-by-node.ts";
import { noExecuteTaints, toleratedFor } from "./eviction-plan.ts";

/**
 * Deletes pods from nodes whose NoExecute taints they do not, or no longer, tolerate. The time they may stay counts from when we saw the
 * taint, in time that passes: neither a clock that is set nor an outage of the server takes any of it. Make one for each start.
 */
export function taintEviction({ podsByNode }: { podsByNode: PodsByNode }): Controller {
  /** Since when pods have been waiting to be evicted, by uid so that another pod of the name starts anew. */
  const waiting = new Map<string, { uid: string; since: number }>();

  return defineController<Pod>({
    name: "taint-eviction-controller", workers: 5, writes: [pods], reads: [nodes],
    watches: [
      watchOf(pods, (current, old, { lister }) => {
        podsByNode.track(current, old);
        const pod = current ?? old!;
        if (waiting.has(keyOf(pod))) return [keyOf(pod)];
        if (!current?.spec.nodeName || (old?.spec.nodeName === current.spec.nodeName && Bun.deepEquals(old.spec.tolerations, current.spec.tolerations))) return [];
        return noExecuteTaints(lister(nodes).get(current.spec.nodeName)).length > 0 ? [keyOf(current)] : [];
      }),
      watchOf(nodes, (current, old) => (Bun.deepEquals(noExecuteTaints(current), noExecuteTaints(old)) ? [] : podsByNode.on((current ?? old!).metadata.name!))),
    ],
    async reconcile(key, context) {
      const { lister, monotonic } = context;
      const pod = lister(pods).get(key);
      const node = pod?.spec.nodeName ? lister(nodes).get(pod.spec.nodeName) : undefined;
      const taints = noExecuteTaints(node);
      if (!pod || taints.length === 0) return cancel(key, context);
      const stays = toleratedFor(taints, pod.spec.tolerations ?? []);
      // Also what is to go at once instead of later is told as Kubernetes does: the later deletion is cancelled.
      if (stays === Infinity || stays === 0) cancel(key, context);
      if (stays === Infinity) return;
      const last = waiting.get(key);
      const since = last?.uid === pod.metadata.uid ? last!.since : monotonic();
      const left = since + stays - monotonic();
      if (left > 0) {
        waiting.set(key, { uid: pod.metadata.uid!, since });
        return { requeueAfter: left };
      }
      waiting.delete(key);
      try {
        await evict(pod, context);
      } catch (error) {
        // Its time stays up.
        if (last) waiting.set(key, last);
        throw error;
      }
    },
  });

  function cancel(key: string, { recorder }: ReconcileContext): void {
    if (!waiting.delete(key)) return;
    recorder.event({ apiVersion: "v1", kind: "Pod", ...splitKey(key) }, "Normal", "TaintManagerEviction", `Cancelling deletion of Pod ${key}`);
  }
}

const conditionType = "DisruptionTarget";

async function evict(pod: Frozen<Pod>, { client, recorder, now }: ReconcileContext): Promise<void> {
  const { namespace, name, uid, generation } = pod.metadata;
  const key = { namespace, name: name! };
  const target: PodCondition = {
    type: conditionType, status: "True", reason: "DeletionByTaintManager", message: "Taint manager: deleting due to NoExecute taint", lastTransitionTime: formatTime(now()), observedGeneration: generation,
  };
  recorder.event(pod, "Normal", "TaintManagerEviction", `Marking for deletion Pod ${namespace}/${name}`);
  try {
    if (podCondition(pod, conditionType)?.reason !== target.reason) await client.patch(pods, key, { type: "application/strategic-merge-patch+json", body: { metadata: { uid }, status: { conditions: [target] } } }, { subresource: "status" });
    await client.delete(pods, key, { preconditions: { uid } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
