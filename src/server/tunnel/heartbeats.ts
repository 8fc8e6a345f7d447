import { isConflict, isNotFound } from "../../apimachinery/status.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { leases } from "../../apis/coordination/lease.ts";
import { nodes } from "../../apis/core/node.ts";
import type { Lease } from "../../apis/generated/coordination/v1.ts";
import type { Node } from "../../apis/generated/core/v1.ts";
import type { Clock } from "../../base/clock.ts";
import { logger } from "../../base/log.ts";
import type { Client } from "../../client/client.ts";
import type { Lister } from "../../client/informer.ts";

export interface HeartbeatOptions {
  /** As the node itself. */
  clientAs(nodeName: string): Client;
  nodes: Lister<Node>;
  leases: Lister<Lease>;
  clock: Clock;
}

const namespace = "kube-node-lease";
const durationSeconds = 40;
/** As often as a kubelet writes the status of a node on which nothing happens (nodeStatusReportFrequency). Milliseconds. */
const statusMs = 5 * 60_000;
/** What a kubelet says of its node; conditions of others are not renewed for them. */
const ofKubelet = new Set(["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"]);
const log = logger("tunnel");

/**
 * Does here what a kubelet does by requests: renews its node's Lease, and every few minutes the heartbeat times of its conditions. Both are
 * in memory. A Node that is not there, or of which others have said that it is dead, is left to the kubelet, which reports anew.
 */
export function createHeartbeats({ clientAs, nodes: nodeLister, leases: leaseLister, clock }: HeartbeatOptions): (nodeName: string) => void {
  const busy = new Set<string>();
  const statusAt = new Map<string, number>();

  async function renew(nodeName: string): Promise<void> {
    const node = nodeLister.get(nodeName);
    if (!node) return void statusAt.delete(nodeName);
    const client = clientAs(nodeName), renewTime = new Date(clock.now()).toISOString().replace(/Z$/, "000Z");
    const lease = leaseLister.get(`${namespace}/${nodeName}`);
    const spec = { holderIdentity: nodeName, leaseDurationSeconds: durationSeconds, renewTime };
    if (lease) await client.update(leases, { ...structuredClone(lease) as Lease, spec: { ...structuredClone(lease.spec) as Lease["spec"], ...spec } });
    else await client.create(leases, { metadata: { name: nodeName, namespace, ownerReferences: [{ apiVersion: "v1", kind: "Node", name: nodeName, uid: node.metadata.uid! }] }, spec });
    await renewStatus(client, node);
  }

  async function renewStatus(client: Client, node: Frozen<Node>): Promise<void> {
    const name = node.metadata.name!, now = clock.monotonic();
    if (!statusAt.has(name)) statusAt.set(name, now);
    if (now - statusAt.get(name)! < statusMs) return;
    statusAt.set(name, now);
    const conditions = (node.status?.conditions ?? []).filter(({ type, status }) => ofKubelet.has(type) && status !== "Unknown");
    if (conditions.length === 0) return;
    const lastHeartbeatTime = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z");
    await client.patch(nodes, { name }, { type: "application/strategic-merge-patch+json", body: { status: { conditions: conditions.map(({ type }) => ({ type, lastHeartbeatTime })) } } }, { subresource: "status" });
  }

  return (nodeName) => {
    if (busy.has(nodeName)) return;
    busy.add(nodeName);
    renew(nodeName)
      .catch((error: unknown) => {
        // Written at the same moment by another, or deleted: the next heartbeat is soon.
        if (!isConflict(error) && !isNotFound(error)) log.warn("A node's Lease could not be renewed", { node: nodeName, error });
      })
      .finally(() => busy.delete(nodeName));
  };
}
