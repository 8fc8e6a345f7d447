import type { Frozen } from "../apimachinery/meta.ts";
import type { Node, Pod } from "../apis/generated/core/v1.ts";
import { NodeSums, type NodeInfo } from "./node-info.ts";
import { zoneByZone, zoneOf } from "./node-order.ts";
import { podInfo, type PodInfo } from "./pod-info.ts";

/** What a decision is made from. It doesn't change while one is made. */
export interface Snapshot extends Related {
  readonly nodes: readonly NodeInfo[];
  node(name: string): NodeInfo | undefined;
  /** The nodes that have pods with affinity or anti-affinity. */
  nodesWithAffinity(): readonly NodeInfo[];
  /** How many pods on nodes use the claim, `namespace/name`. */
  usersOfClaim(key: string): number;
}

/** Objects beside nodes and pods that decisions look at. */
export interface Related {
  namespaceLabels(namespace: string): Readonly<Record<string, string>> | undefined;
}

/** The cluster as the informers and our own decisions have it, kept up to date one change at a time. */
export class ClusterState implements Snapshot {
  readonly #sums = new Map<string, NodeSums>();
  /** The node of each pod that has one. */
  readonly #places = new Map<string, string>();
  /** Pods put on a node here whose binding the informer hasn't shown yet. */
  readonly #assumed = new Set<string>();
  readonly #claimUsers = new Map<string, number>();
  /** Grows with every change. */
  version = 0;
  readonly #related: Related;
  #nodes: readonly NodeInfo[] | undefined;

  constructor(related: Related) {
    this.#related = related;
  }

  /** Zone by zone, within one in the order in which they were seen, for a stable round. */
  get nodes(): readonly NodeInfo[] {
    return (this.#nodes ??= zoneByZone([...this.#sums.values()].filter((sums) => sums.known)));
  }

  node(name: string): NodeInfo | undefined {
    const sums = this.#sums.get(name);
    return sums?.known ? sums : undefined;
  }

  nodesWithAffinity(): readonly NodeInfo[] {
    return this.nodes.filter(({ podsWithAffinity }) => podsWithAffinity.size > 0);
  }

  usersOfClaim(key: string): number {
    return this.#claimUsers.get(key) ?? 0;
  }

  namespaceLabels(namespace: string): Readonly<Record<string, string>> | undefined {
    return this.#related.namespaceLabels(namespace);
  }

  setNode(node: Frozen<Node>): void {
    this.version++;
    const name = node.metadata.name!;
    const sums = this.#sumsOf(name);
    if (!sums.known || zoneOf(sums.labels) !== zoneOf(node.metadata.labels ?? {})) this.#nodes = undefined;
    sums.setNode(node);
  }

  removeNode(name: string): void {
    this.version++;
    const sums = this.#sums.get(name);
    if (!sums) return;
    sums.setNode(undefined);
    this.#nodes = undefined;
    this.#drop(sums);
  }

  /** A pod on a node, as the informer shows it. `needsTheSame`: as it was shown before, in all that scheduling looks at (see `needsTheSame`). */
  setPod(pod: Frozen<Pod>, needsTheSame = false): void {
    const uid = pod.metadata.uid!;
    const sums = needsTheSame && !this.#assumed.has(uid) ? this.#sums.get(pod.spec.nodeName!) : undefined;
    const known = sums?.pods.get(uid);
    if (known) return sums!.replace({ ...known, pod });
    this.#assumed.delete(uid);
    this.#place(podInfo(pod), pod.spec.nodeName!);
  }

  removePod(uid: string): void {
    this.version++;
    this.#assumed.delete(uid);
    const name = this.#places.get(uid);
    const sums = name === undefined ? undefined : this.#sums.get(name);
    this.#places.delete(uid);
    if (!sums) return;
    for (const claim of sums.pods.get(uid)?.claims ?? []) this.#countClaim(claim, -1);
    sums.remove(uid);
    this.#drop(sums);
  }

  /** Counts a pod on a node before its binding is written. */
  assume(pod: PodInfo, nodeName: string): void {
    this.#place(pod, nodeName);
    this.#assumed.add(pod.uid);
  }

  /** The node that a pod was put on here, while its binding hasn't been seen. */
  assumedNode(uid: string): string | undefined {
    return this.#assumed.has(uid) ? this.#places.get(uid) : undefined;
  }

  /** How many there are of what. */
  sizes(): { nodes: number; pods: number; assumed: number } {
    return { nodes: this.nodes.length, pods: this.#places.size, assumed: this.#assumed.size };
  }

  /** Takes back `assume` when the binding failed. True if there was something to take back. */
  forget(uid: string): boolean {
    if (!this.#assumed.has(uid)) return false;
    this.removePod(uid);
    return true;
  }

  #place(pod: PodInfo, nodeName: string): void {
    this.removePod(pod.uid);
    this.#places.set(pod.uid, nodeName);
    this.#sumsOf(nodeName).add(pod);
    for (const claim of pod.claims) this.#countClaim(claim, 1);
  }

  #countClaim(key: string, by: 1 | -1): void {
    const users = this.usersOfClaim(key) + by;
    if (users > 0) this.#claimUsers.set(key, users);
    else this.#claimUsers.delete(key);
  }

  #sumsOf(name: string): NodeSums {
    let sums = this.#sums.get(name);
    if (!sums) this.#sums.set(name, (sums = new NodeSums(name)));
    return sums;
  }

  #drop(sums: NodeSums): void {
    if (!sums.known && sums.pods.size === 0) this.#sums.delete(sums.name);
  }
}
