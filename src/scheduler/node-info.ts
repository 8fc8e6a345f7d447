import type { Frozen } from "../apimachinery/meta.ts";
import type { HostPort } from "../apis/core/pod/host-ports.ts";
import type { Node } from "../apis/generated/core/v1.ts";
import type { PodInfo } from "./pod-info.ts";
import { addResources, parseResources, type Resources } from "./resources.ts";

/** A node and what its pods take of it. Plugins only read. */
export interface NodeInfo {
  readonly name: string;
  readonly node: Frozen<Node>;
  readonly labels: Readonly<Record<string, string>>;
  readonly allocatable: ReadonlyMap<string, number>;
  /** Sizes in bytes of the images the node has, by each of their names. */
  readonly images: ReadonlyMap<string, number>;
  readonly requested: ReadonlyMap<string, number>;
  readonly nonZero: ReadonlyMap<string, number>;
  readonly pods: ReadonlyMap<string, PodInfo>;
  /** Those of `pods` with affinity or anti-affinity of any sort. */
  readonly podsWithAffinity: ReadonlyMap<string, PodInfo>;
  /** Another after each change of `pods`. */
  readonly podsVersion: number;
  portTaken(port: HostPort): boolean;
  /** For a dry run. */
  clone(): MutableNodeInfo;
}

/** A copy whose pods can be moved. */
export interface MutableNodeInfo extends NodeInfo {
  add(pod: PodInfo): void;
  remove(uid: string): void;
}

const anyAddress = "0.0.0.0";

/** Sums kept as pods come and go. It exists before its node does when a pod on that node is seen first. */
export class NodeSums implements MutableNodeInfo {
  readonly name: string;
  #node: Frozen<Node> | undefined;
  labels: Readonly<Record<string, string>> = {};
  allocatable: Resources = new Map();
  images: ReadonlyMap<string, number> = new Map();
  readonly requested: Resources = new Map();
  readonly nonZero: Resources = new Map();
  readonly pods = new Map<string, PodInfo>();
  readonly podsWithAffinity = new Map<string, PodInfo>();
  podsVersion = 0;
  /** Addresses taken, by protocol and port. */
  readonly #ports = new Map<string, string[]>();

  constructor(name: string) {
    this.name = name;
  }

  get known(): boolean {
    return this.#node !== undefined;
  }

  get node(): Frozen<Node> {
    if (!this.#node) throw new Error(`node ${this.name} is not known`);
    return this.#node;
  }

  setNode(node: Frozen<Node> | undefined): void {
    this.#node = node;
    this.labels = node?.metadata.labels ?? {};
    this.images = imagesOf(node);
    this.allocatable = parseResources(node?.status?.allocatable);
  }

  add(pod: PodInfo): void {
    this.pods.set(pod.uid, pod);
    this.podsVersion++;
    if (pod.affinity) this.podsWithAffinity.set(pod.uid, pod);
    addResources(this.requested, pod.requests);
    addResources(this.nonZero, pod.nonZero);
    for (const port of pod.hostPorts) {
      const key = portKey(port);
      const taken = this.#ports.get(key);
      if (taken) taken.push(port.ip);
      else this.#ports.set(key, [port.ip]);
    }
  }

  /** The pod has changed in nothing that counts here. */
  replace(pod: PodInfo): void {
    this.pods.set(pod.uid, pod);
    if (pod.affinity) this.podsWithAffinity.set(pod.uid, pod);
  }

  remove(uid: string): void {
    const pod = this.pods.get(uid);
    if (!pod) return;
    this.pods.delete(uid);
    this.podsVersion++;
    this.podsWithAffinity.delete(uid);
    addResources(this.requested, pod.requests, -1);
    addResources(this.nonZero, pod.nonZero, -1);
    for (const port of pod.hostPorts) this.#free(port);
  }

  portTaken(port: HostPort): boolean {
    const taken = this.#ports.get(portKey(port));
    return taken !== undefined && (port.ip === anyAddress || taken.some((ip) => ip === anyAddress || ip === port.ip));
  }

  clone(): MutableNodeInfo {
    const copy = new NodeSums(this.name);
    copy.#node = this.#node;
    copy.labels = this.labels;
    copy.allocatable = this.allocatable;
    copy.images = this.images;
    for (const [name, amount] of this.requested) copy.requested.set(name, amount);
    for (const [name, amount] of this.nonZero) copy.nonZero.set(name, amount);
    for (const [uid, pod] of this.pods) copy.pods.set(uid, pod);
    for (const [uid, pod] of this.podsWithAffinity) copy.podsWithAffinity.set(uid, pod);
    for (const [key, taken] of this.#ports) copy.#ports.set(key, [...taken]);
    return copy;
  }

  #free(port: HostPort): void {
    const key = portKey(port);
    const taken = this.#ports.get(key);
    if (!taken) return;
    taken.splice(taken.indexOf(port.ip), 1);
    if (taken.length === 0) this.#ports.delete(key);
  }
}

function imagesOf(node: Frozen<Node> | undefined): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const { names, sizeBytes = 0 } of node?.status?.images ?? []) for (const name of names ?? []) sizes.set(name, sizeBytes);
  return sizes;
}

const portKey = ({ protocol, port }: HostPort): string => `${protocol}/${port}`;
