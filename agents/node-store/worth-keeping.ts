import type { Frozen, KubeObject } from "../../src/apimachinery/meta.ts";
import type { AnyResource } from "../../src/apimachinery/resource.ts";
import { nodes } from "../../src/apis/core/node.ts";
import { pods } from "../../src/apis/core/pod/pod.ts";
import type { Node, Pod } from "../../src/apis/generated/core/v1.ts";

/** How soon a change must be on the disk: before anybody can act on it, with others in some seconds, or whenever something else is written. */
export type Urgency = "now" | "soon" | "along";

/**
 * What becomes of pods can't wait. One that has begun must not be unknown to the next process, which would end it; and once the server was told
 * that a pod has gone, no reboot may bring it back, for another may have taken its place elsewhere. Once it runs for the first time, all that
 * it needs is known, its tokens and ConfigMaps too: a power cut a moment later must not keep it from starting again.
 */
export function urgencyOfPod(old: Frozen<KubeObject> | undefined, current: Frozen<KubeObject> | undefined): Urgency {
  const isNew = old?.metadata.uid !== current?.metadata.uid;
  return isNew || old?.metadata.deletionTimestamp !== current?.metadata.deletionTimestamp || (runs(current) && !runs(old)) ? "now" : "soon";
}

const runs = (object: Frozen<KubeObject> | undefined): boolean => (object as Frozen<Pod> | undefined)?.status?.phase === "Running";

/** Nodes say that they are well every few minutes, and how the pods of a whole cluster stand changes all the time: there is nothing in that to begin with after a reboot. */
export function urgencyOf(card: AnyResource, old: Frozen<KubeObject> | undefined, current: Frozen<KubeObject> | undefined): Urgency {
  return old && current && Bun.deepEquals(newsOf(card, old), newsOf(card, current)) ? "along" : "soon";
}

function newsOf({ group, resource }: AnyResource, object: Frozen<KubeObject>): unknown {
  if (group === nodes.group && resource === nodes.resource) return newsOfNode(object as Frozen<Node>);
  if (group === pods.group && resource === pods.resource) return newsOfPod(object as Frozen<Pod>);
  return object;
}

/** What other nodes' network parts go by. */
function newsOfPod({ metadata: { uid, labels, deletionTimestamp }, spec: { nodeName }, status }: Frozen<Pod>): unknown {
  return [uid, labels, deletionTimestamp, nodeName, status?.phase, status?.podIPs];
}

function newsOfNode({ metadata, spec, status }: Frozen<Node>): unknown {
  return {
    metadata: { ...metadata, resourceVersion: undefined, managedFields: undefined }, spec,
    status: { ...status, images: undefined, conditions: status?.conditions?.map((condition) => ({ ...condition, lastHeartbeatTime: undefined })) },
  };
}

/** As it is kept: without what only the server's side needs. */
export function keptForm(card: AnyResource, object: Frozen<KubeObject>): Frozen<KubeObject> {
  const kept = { ...object, metadata: { ...object.metadata, managedFields: undefined } };
  return (card.resource === nodes.resource ? { ...kept, status: { ...(object as Frozen<Node>).status, images: undefined } } : kept) as Frozen<KubeObject>;
}
