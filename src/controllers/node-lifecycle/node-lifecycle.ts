import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import { formatTime } from "../../apimachinery/time.ts";
import { leases, nodes, pods } from "../../apis/builtins.ts";
import type { Node, NodeCondition, Pod } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Controller, type ReconcileContext } from "../../client/controller.ts";
import { isPodReady } from "../pod-status.ts";
import { readyStatus, silentConditions, taintsFor } from "./plan.ts";
import { SignsOfLife } from "./signs-of-life.ts";

const leaseNamespace = "kube-node-lease";

/**
 * Watches over the nodes' signs of life: one that is silent for `gracePeriod` milliseconds becomes Unknown, is tainted, and its pods are
 * marked not ready. Wakes by the events of Leases and one timer for the next expiry. Make one for each start.
 */
export function nodeLifecycle({ gracePeriod = 40_000 }: { gracePeriod?: number } = {}): Controller {
  const signs = new SignsOfLife(gracePeriod);
  /** The Ready status of each node that has been dealt with. */
  const known = new Map<string, string>();

  function silence(node: Frozen<Node>, { lister, now }: ReconcileContext): number {
    const name = node.metadata.name!;
    const sign = `${lister(leases).get(`${leaseNamespace}/${name}`)?.spec?.renewTime ?? ""} ${node.status?.conditions?.find((c) => c.type === "Ready")?.lastHeartbeatTime ?? ""}`;
    return signs.silence(name, sign, now(), readyStatus(node.status?.conditions) === "Unknown" && (node.status?.conditions ?? []).length > 0);
  }

  return defineController({
    name: "node-controller", for: nodes, reads: [leases, pods],
    writes: [nodes, { apiGroups: [""], resources: ["pods/status"], verbs: ["patch", "update"] }],
    watches: [
      watchOf(leases, (current) => (current?.metadata.namespace === leaseNamespace ? [current.metadata.name!] : [])),
      // Whether anything is evicted hangs on all nodes together.
      watchOf(nodes, (current, old, { lister }) => (current && old && readyStatus(current.status?.conditions) === readyStatus(old.status?.conditions) ? [] : lister(nodes).list().map((node) => node.metadata.name!))),
    ],
    async reconcile(name, context) {
      const { client, lister, now, recorder } = context;
      let node = lister(nodes).get(name);
      if (!node) {
        signs.forget(name);
        known.delete(name);
        return;
      }
      const before = known.get(name) ?? readyStatus(node.status?.conditions);
      known.set(name, before);
      const silentFor = silence(node, context);
      const lost = silentFor > gracePeriod ? silentConditions(node, now()) : undefined;
      if (lost) {
        node = await client.patch(nodes, { name }, { type: "application/strategic-merge-patch+json", body: { metadata: { uid: node.metadata.uid }, status: { conditions: lost } } }, { subresource: "status" });
      }
      const conditions = (node.status?.conditions ?? []) as readonly NodeCondition[];
      await writeTaints(node, conditions, context);
      const after = readyStatus(conditions);
      if (before === "True" && after !== "True") {
        recorder.event(node, "Normal", "NodeNotReady", `Node ${name} status is now: NodeNotReady`);
        await markPodsNotReady(name, context);
      }
      known.set(name, after);
      return silentFor > gracePeriod ? undefined : { requeueAfter: gracePeriod - silentFor + 1 };
    },
  });
}

async function writeTaints(node: Frozen<Node>, conditions: readonly NodeCondition[], { client, lister, now }: ReconcileContext): Promise<void> {
  const evict = lister(nodes).list().some((other) => readyStatus(other.status?.conditions) === "True");
  const taints = taintsFor(node, conditions, evict, now());
  if (!taints) return;
  // With the resourceVersion: taints of others must not be lost.
  const { name, resourceVersion } = node.metadata;
  await client.patch(nodes, { name: name! }, { type: "application/merge-patch+json", body: { metadata: { resourceVersion }, spec: { taints } } });
}

/** Takes the pods of a node out of their services. */
async function markPodsNotReady(nodeName: string, { client, lister, now, recorder }: ReconcileContext): Promise<void> {
  for (const pod of lister(pods).list()) {
    if (pod.spec.nodeName !== nodeName || !isPodReady(pod)) continue;
    const conditions = thaw<Pod>(pod).status!.conditions!.map((c) => (c.type === "Ready" ? { ...c, status: "False", lastTransitionTime: formatTime(now()) } : c));
    await client.patch(pods, { namespace: pod.metadata.namespace, name: pod.metadata.name! }, { type: "application/strategic-merge-patch+json", body: { metadata: { uid: pod.metadata.uid }, status: { conditions } } }, { subresource: "status" });
    recorder.event(pod, "Warning", "NodeNotReady", "Node is not ready");
  }
}
