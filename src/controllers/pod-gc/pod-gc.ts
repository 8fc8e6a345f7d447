import { keyOf, thaw, type Frozen } from "../../apimachinery/meta.ts";
import { isNotFound } from "../../apimachinery/status.ts";
import { formatTime } from "../../apimachinery/time.ts";
import { nodes, pods } from "../../apis/builtins.ts";
import type { Pod, PodCondition } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Controller, type ReconcileContext } from "../../client/controller.ts";
import { isPodTerminal } from "../pod-status.ts";
import { planPod, surplusTerminated } from "./plan.ts";

/** Removes pods that no kubelet will: of nodes that are gone, deleted before they were scheduled, and finished ones beyond a number. Make one for each start. */
export function podGc({ terminatedPodThreshold = 12_500 }: { terminatedPodThreshold?: number } = {}): Controller {
  const goneSince = new Map<string, number>();
  const terminated = new Set<string>();

  function nodeGoneSince(name: string | undefined, { lister, now }: ReconcileContext): number | undefined {
    if (!name) return undefined;
    if (lister(nodes).get(name)) {
      goneSince.delete(name);
      return undefined;
    }
    const since = goneSince.get(name) ?? now();
    goneSince.set(name, since);
    return since;
  }

  return defineController({
    name: "pod-garbage-collector", for: pods, writes: [pods],
    watches: [
      watchOf(nodes, (current, old, { lister, now }) => {
        const name = (current ?? old!).metadata.name!;
        if (current && old) return [];
        if (current) goneSince.delete(name);
        else goneSince.set(name, now());
        return current ? [] : lister(pods).list().filter((pod) => pod.spec.nodeName === name).map(keyOf);
      }),
      watchOf(pods, (current, old) => {
        const key = keyOf(current ?? old!);
        if (current && isPodTerminal(current)) terminated.add(key);
        else terminated.delete(key);
        return [];
      }),
    ],
    reads: [nodes],
    async reconcile(key, context) {
      const { lister, now } = context;
      const pod = lister(pods).get(key);
      if (!pod) return;
      const fate = planPod(pod, nodeGoneSince(pod.spec.nodeName, context), now());
      if (fate.action === "wait") return { requeueAfter: fate.for };
      if (fate.action === "delete") await remove(pod, fate.reason, context);
      else if (terminated.has(key) && terminated.size > terminatedPodThreshold) {
        const finished = [...terminated].map((name) => lister(pods).get(name)).filter((p) => p !== undefined);
        for (const surplus of surplusTerminated(finished, terminatedPodThreshold)) await forceDelete(surplus, context);
      }
    },
  });
}

async function remove(pod: Frozen<Pod>, reason: "unscheduled" | "orphaned", context: ReconcileContext): Promise<void> {
  // Nobody else will ever say how the pod ended; controllers of Jobs need to know.
  if (reason === "orphaned" && !isPodTerminal(pod)) await fail(pod, context);
  await forceDelete(pod, context);
}

async function fail(pod: Frozen<Pod>, { client, now }: ReconcileContext): Promise<void> {
  const target: PodCondition = { type: "DisruptionTarget", status: "True", reason: "DeletionByPodGC", message: "PodGC: node no longer exists", lastTransitionTime: formatTime(now()) };
  const conditions = [...(thaw<Pod>(pod).status?.conditions ?? []).filter((c) => c.type !== target.type), target];
  const { namespace, name, uid } = pod.metadata;
  await client.patch(pods, { namespace, name: name! }, { type: "application/merge-patch+json", body: { metadata: { uid }, status: { phase: "Failed", conditions } } }, { subresource: "status" });
}

async function forceDelete({ metadata: { namespace, name, uid } }: Frozen<Pod>, { client }: ReconcileContext): Promise<void> {
  try {
    await client.delete(pods, { namespace, name: name! }, { gracePeriodSeconds: 0, preconditions: { uid } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
