import { keyOf, type Frozen } from "../../apimachinery/meta.ts";
import { isNotFound } from "../../apimachinery/status.ts";
import { formatTime } from "../../apimachinery/time.ts";
import { nodes, pods } from "../../apis/builtins.ts";
import type { Node, Pod, PodCondition } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type ReconcileContext } from "../../client/controller.ts";
import { planEviction } from "./eviction-plan.ts";

const noExecute = (node: Frozen<Node> | undefined): string => JSON.stringify((node?.spec.taints ?? []).filter((taint) => taint.effect === "NoExecute"));

/** Deletes pods from nodes whose NoExecute taints they do not, or no longer, tolerate. A taint that goes in time takes the deletion with it. */
export const taintEviction = defineController({
  name: "taint-eviction-controller", for: pods, workers: 5, writes: [pods],
  watches: [watchOf(nodes, (current, old, { lister }) => {
    if (!current || noExecute(current) === noExecute(old)) return [];
    return lister(pods).list().filter((pod) => pod.spec.nodeName === current.metadata.name).map(keyOf);
  })],
  async reconcile(key, context) {
    const { lister, now } = context;
    const pod = lister(pods).get(key);
    const node = pod?.spec.nodeName && !pod.metadata.deletionTimestamp ? lister(nodes).get(pod.spec.nodeName) : undefined;
    if (!pod || !node) return;
    const eviction = planEviction(node.spec.taints ?? [], pod.spec.tolerations ?? [], now());
    if (eviction.evict === "at") return { requeueAfter: eviction.time - now() };
    if (eviction.evict === "now") await evict(pod, context);
  },
});

async function evict(pod: Frozen<Pod>, { client, recorder, now }: ReconcileContext): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  const key = { namespace, name: name! };
  const target: PodCondition = { type: "DisruptionTarget", status: "True", reason: "DeletionByTaintManager", message: "Taint manager: deleting due to NoExecute taint", lastTransitionTime: formatTime(now()) };
  recorder.event(pod, "Normal", "TaintManagerEviction", `Marking for deletion Pod ${namespace}/${name}`);
  try {
    await client.patch(pods, key, { type: "application/strategic-merge-patch+json", body: { metadata: { uid }, status: { conditions: [target] } } }, { subresource: "status" });
    await client.delete(pods, key, { preconditions: { uid } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
