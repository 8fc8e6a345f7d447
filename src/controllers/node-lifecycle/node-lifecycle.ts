import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import { isNotFound } from "../../apimachinery/status.ts";
import { formatTime } from "../../apimachinery/time.ts";
import { leases, nodes, pods } from "../../apis/builtins.ts";
import type { Node, Pod } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Controller, type ReconcileContext } from "../../client/controller.ts";
import { isPodReady } from "../pod-status.ts";
import type { PodsByNode } from "../pods-by-node.ts";
import { evictingTaint, hasEvictingTaint, labelsFor, readyCondition, silentConditions, taintsFor, zonedNode } from "./plan.ts";
import { SignsOfLife } from "./signs-of-life.ts";
import { Zones } from "./zones.ts";

const leaseNamespace = "kube-node-lease";
/** A node that never said anything is given more time, in milliseconds. */
const startupGracePeriod = 60_000;

export interface NodeLifecycleOptions {
  /** How long a node may be silent, in milliseconds. */
  gracePeriod?: number;
  podsByNode: PodsByNode;
}

/** A node that has been dealt with. */
interface Known {
  uid: string;
  ready: string | undefined;
}

/**
 * Watches over the nodes' signs of life: one that is silent for too long becomes Unknown, is tainted, and its pods are marked not ready.
 * Nothing runs at rest but a timer for each node, at the earliest end of its grace period. Make one for each start.
 */
export function nodeLifecycle({ gracePeriod = 50_000, podsByNode }: NodeLifecycleOptions): Controller {
  const signs = new SignsOfLife();
  const zones = new Zones();
  const known = new Map<string, Known>();
  /** Before all nodes have been counted, the zones' states mean nothing. */
  let started = false;

  function evaluate(now: number): readonly string[] {
    const { wake, resumed } = zones.evaluate(now);
    if (resumed) signs.restart(now);
    return wake;
  }

  return defineController<Node>({
    name: "node-controller", for: nodes, reads: [leases, pods], workers: 5,
    writes: [nodes, { apiGroups: [""], resources: ["pods/status"], verbs: ["patch", "update"] }],
    watches: [
      // A lease that is renewed is heard, no more: with hundreds of nodes, several a second are.
      watchOf(leases, (current, old, { monotonic }) => {
        if (started && current?.metadata.namespace === leaseNamespace && current.spec?.renewTime !== old?.spec?.renewTime) signs.heard(current.metadata.name!, monotonic());
        return [];
      }),
      watchOf(pods, (current, old) => {
        podsByNode.track(current, old);
        return [];
      }),
      watchOf(nodes, (current, old, { monotonic }) => {
        const name = (current ?? old!).metadata.name!;
        if (started && readyCondition(current?.status?.conditions)?.lastHeartbeatTime !== readyCondition(old?.status?.conditions)?.lastHeartbeatTime) signs.heard(name, monotonic());
        return zones.track(name, current && zonedNode(current)) && started ? evaluate(monotonic()) : [];
      }),
    ],
    async reconcile(name, context) {
      const { client, lister, now, monotonic } = context;
      if (!started) {
        started = true;
        evaluate(monotonic());
      }
      let node = lister(nodes).get(name);
      const last = meet(name, node, context);
      if (!node || !last) return;
      const grace = readyCondition(node.status?.conditions) ? gracePeriod : startupGracePeriod;
      const silentFor = signs.silence(name, monotonic(), grace);
      const lost = silentFor > grace ? silentConditions(node, now()) : undefined;
      if (lost) {
        node = await client.patch(nodes, { name }, { type: "application/strategic-merge-patch+json", body: { metadata: { uid: node.metadata.uid }, status: { conditions: lost } } }, { subresource: "status" });
      }
      const turn = await writeTaints(node, context);
      const ready = readyCondition(node.status?.conditions)?.status;
      if (last.ready === "True" && ready !== "True") context.recorder.event(node, "Normal", "NodeNotReady", `Node ${name} status is now: NodeNotReady`);
      // The kubelet of a node that is not ready may still speak for its pods; that of a silent one doesn't.
      if (ready === "Unknown" || (last.ready === "True" && ready !== "True")) await markPodsNotReady(name, context);
      last.ready = ready;
      const next = Math.min(turn, silentFor > grace ? Infinity : grace - silentFor + 1);
      return next === Infinity ? undefined : { requeueAfter: next };
    },
  });

  /** What was known of the node; undefined when it is gone. */
  function meet(name: string, node: Frozen<Node> | undefined, { recorder, monotonic }: ReconcileContext): Known | undefined {
    const last = known.get(name);
    const tell = (uid: string, reason: string, text: string): void => recorder.event({ apiVersion: "v1", kind: "Node", name, uid }, "Normal", reason, `Node ${name} event: ${text}`);
    if (last && last.uid === node?.metadata.uid) return last;
    if (last) {
      tell(last.uid, "RemovingNode", `Removing Node ${name} from Controller`);
      known.delete(name);
      signs.forget(name);
    }
    if (!node) return undefined;
    const ready = readyCondition(node.status?.conditions)?.status;
    const met = { uid: node.metadata.uid!, ready };
    known.set(name, met);
    signs.meet(name, monotonic(), { givenUp: ready === "Unknown" });
    tell(met.uid, "RegisteredNode", `Registered Node ${name} in Controller`);
    return met;
  }

  /** Returns in how many milliseconds it is the node's turn to lose its pods; Infinity when there is no such time. */
  async function writeTaints(node: Frozen<Node>, { client, now, monotonic }: ReconcileContext): Promise<number> {
    const { name = "", resourceVersion } = node.metadata;
    const conditions = node.status?.conditions;
    const wanted = zones.stopped ? undefined : evictingTaint(node);
    if (!wanted) zones.dismiss(name);
    // Pods that have to leave for one reason have to for the other, without another turn.
    const turn = !wanted || hasEvictingTaint(node) ? 0 : zones.admit(name, monotonic());
    const taints = taintsFor(node, conditions, turn === 0 ? wanted : undefined, now());
    const labels = labelsFor(node);
    // With the resourceVersion: taints of others must not be lost.
    if (taints || labels) await client.patch(nodes, { name }, { type: "application/merge-patch+json", body: { metadata: { resourceVersion, ...(labels ? { labels } : {}) }, ...(taints ? { spec: { taints } } : {}) } });
    if (turn === 0 && wanted) zones.taken(name, monotonic());
    return turn === 0 ? Infinity : turn;
  }

  /** Takes the pods of a node out of their services. */
  async function markPodsNotReady(nodeName: string, { client, lister, now, recorder }: ReconcileContext): Promise<void> {
    for (const key of podsByNode.on(nodeName)) {
      const pod = lister(pods).get(key);
      if (!pod || pod.spec.nodeName !== nodeName || !isPodReady(pod)) continue;
      const { namespace, name, uid } = pod.metadata;
      const conditions = thaw<Pod>(pod).status!.conditions!.map((c) => (c.type === "Ready" ? { ...c, status: "False", lastTransitionTime: formatTime(now()) } : c));
      try {
        await client.patch(pods, { namespace, name: name! }, { type: "application/strategic-merge-patch+json", body: { metadata: { uid }, status: { conditions } } }, { subresource: "status" });
        recorder.event(pod, "Warning", "NodeNotReady", "Node is not ready");
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
  }
}
