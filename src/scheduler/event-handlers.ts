import type { Frozen } from "../apimachinery/meta.ts";
import { nodes, pods } from "../apis/builtins.ts";
import type { Node, Pod } from "../apis/generated/core/v1.ts";
import type { InformerFactory } from "../client/informer.ts";
import { assignedTo, eventCards, isAssigned, isPending, needsTheSame, nodeActions, podActions, type ClusterEvent } from "./cluster-events.ts";
import type { Profile } from "./profile.ts";
import type { SchedulingQueue } from "./queue.ts";
import type { ClusterState } from "./snapshot.ts";
import type { WaitingPodsMap } from "./waiting-pods.ts";

export interface EventHandlerOptions {
  informers: InformerFactory;
  state: ClusterState;
  queue: SchedulingQueue;
  waitingPods: WaitingPodsMap;
  profiles: ReadonlyMap<string, Pick<Profile, "interests">>;
}

type Change<T> = (old: Frozen<T> | undefined, current: Frozen<T> | undefined) => void;

/** Keeps the state and the queue up with the API. Returns the unsubscription. Source: kubernetes pkg/scheduler/eventhandlers.go. */
export function handleEvents({ informers, state, queue, waitingPods, profiles }: EventHandlerOptions): () => void {
  const isOurs = (pod: Frozen<Pod> | undefined): pod is Frozen<Pod> => isPending(pod) && profiles.has(pod.spec.schedulerName!);

  const onNode: Change<Node> = (old, current) => {
    if (!current) {
      queue.moveOn({ resource: "Node", action: "Delete", old: old! });
      return state.removeNode(old!.metadata.name!);
    }
    state.setNode(current);
    for (const action of old ? nodeActions(old, current) : ["Add" as const]) queue.moveOn({ resource: "Node", action, ...(old ? { old } : {}), current });
  };

  /** A pod that has ended is as good as gone. */
  const onPod: Change<Pod> = (old, current) => {
    if (isAssigned(current)) {
      onAssigned(isAssigned(old) ? old : undefined, current);
    } else {
      if (isAssigned(old)) {
        state.removePod(old.metadata.uid!);
        queue.moveOn({ resource: "AssignedPod", action: "Delete", old });
      }
      if (isOurs(current)) onPending(isOurs(old) ? old : undefined, current);
      else if (isOurs(old)) onGone(old);
    }
  };

  function onAssigned(old: Frozen<Pod> | undefined, current: Frozen<Pod>): void {
    state.setPod(current, old !== undefined && needsTheSame(old, current));
    if (!old) queue.remove(current.metadata.uid!);
    for (const action of old ? podActions(old, current) : ["Add" as const]) queue.moveOn({ resource: "AssignedPod", action, ...(old ? { old } : {}), current });
  }

  function onPending(old: Frozen<Pod> | undefined, current: Frozen<Pod>): void {
    if (!old) return queue.add(current);
    const { uid } = current.metadata;
    if (state.assumedNode(uid!) !== undefined) {
      const entry = queue.get(uid!);
      if (entry) entry.pod = current;
      if (current.metadata.deletionTimestamp && !old.metadata.deletionTimestamp) giveUpAssumed(old);
      return;
    }
    queue.update(old, current);
    const promised = old.status?.nominatedNodeName;
    if (promised && promised !== current.status?.nominatedNodeName) roomPromisedTo(old);
  }

  function onGone(old: Frozen<Pod>): void {
    queue.remove(old.metadata.uid!);
    if (state.assumedNode(old.metadata.uid!) !== undefined) giveUpAssumed(old);
    else if (old.status?.nominatedNodeName) roomPromisedTo(old);
  }

  /** A pod on its way to a node is being deleted: its room is free before its binding has failed. */
  function giveUpAssumed(old: Frozen<Pod>): void {
    const { uid } = old.metadata;
    const assumed = assignedTo(old, state.assumedNode(uid!)!);
    if (!waitingPods.reject(uid!, "", "removed")) state.forget(uid!);
    queue.moveOn({ resource: "AssignedPod", action: "Delete", old: assumed });
  }

  /** Pods of its priority and below had to leave it alone. */
  function roomPromisedTo(old: Frozen<Pod>): void {
    const priority = old.spec.priority ?? 0;
    queue.moveOn({ resource: "AssignedPod", action: "Delete", old }, (pod) => (pod.spec.priority ?? 0) <= priority);
  }

  const unsubscribe = [informers.informer(nodes).onChange(onNode), informers.informer(pods).onChange(onPod)];
  for (const resource of resourcesOf(profiles)) {
    unsubscribe.push(informers.informer(eventCards[resource]).onChange((old, current) => {
      const action = !old ? "Add" : current ? "Update" : "Delete";
      queue.moveOn({ resource, action, ...(old ? { old } : {}), ...(current ? { current } : {}) } as ClusterEvent);
    }));
  }
  return () => unsubscribe.forEach((end) => end());
}

/** The kinds beyond pods and nodes that plugins wait for. */
export function resourcesOf(profiles: EventHandlerOptions["profiles"]): Set<keyof typeof eventCards> {
  const wanted = new Set<keyof typeof eventCards>();
  for (const { interests } of profiles.values()) {
    for (const interest of [...interests.values()].flatMap((all) => all ?? [])) if (interest.resource !== "Pod" && interest.resource !== "Node") wanted.add(interest.resource);
  }
  return wanted;
}
