import type { Clock } from "../../src/base/clock.ts";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import { isAlreadyExists, isNotFound } from "../../src/apimachinery/status.ts";
import { leases } from "../../src/apis/coordination/lease.ts";
import { nodes } from "../../src/apis/core/node.ts";
import { releaseAnnotation, volumesToRelease } from "../../src/apis/core/volume/local-path.ts";
import type { Node } from "../../src/apis/generated/core/v1.ts";
import type { Client } from "../../src/client/client.ts";
import { allocatableToFollow, hasToFollow } from "../kubelet/node/extended-resources.ts";
import { NodeLease } from "../kubelet/node/node-lease.ts";
import { NodeRoom, type AdmittingNode, type NodeSource } from "../kubelet/pod/admission.ts";
import { PodAddresses } from "./addresses.ts";
import { addressOf, nodeOf, nodeStatus, resourcesOf, type NodeShape, type NodeTroubles } from "./node-shape.ts";

export const renewMs = 10_000;
const reportMs = 5 * 60_000;
/** Its multiples, modulo 1, lie evenly however many there are. */
const goldenShare = (Math.sqrt(5) - 1) / 2;

/** One node: its object, status and Lease, and what its pods take of it. */
export class HollowNode {
  readonly name: string;
  readonly address: string;
  readonly room = new NodeRoom();
  readonly addresses = new PodAddresses();
  /** What pods that come to it are judged by. */
  readonly source: NodeSource = {
    known: () => this.#admitting(this.#node),
    fresh: async () => this.#admitting(await this.options.client.get(nodes, { name: this.name })),
  };
  /** As after a power cut, or behind a broken link: it says and does nothing. */
  stopped = false;
  #troubles: NodeTroubles = {};
  #node: Frozen<Node> | undefined;
  /** When its status was told last and its Lease renewed, on the clock that never jumps. */
  #reportedAt = -Infinity;
  #renewedAt = -Infinity;
  readonly #lease: NodeLease;

  constructor(readonly shape: NodeShape, readonly index: number, private readonly options: { client: Client; clock: Clock }) {
    this.name = shape.name;
    this.address = addressOf(shape, index);
    this.#lease = new NodeLease({ client: options.client, nodeName: shape.name, nodeUid: () => this.#node?.metadata.uid });
  }

  /** The range its pods have addresses of: its own, once it was given one. */
  get podRange(): string {
    return this.#node?.spec.podCIDR ?? `10.${64 + (this.index >> 8)}.${this.index & 255}.0/24`;
  }

  /** Its status will be told at the next `sync`. */
  set troubles(troubles: NodeTroubles) {
    this.#troubles = troubles;
    this.#reportedAt = -Infinity;
  }

  /** The API has this version of it. True when something is to be done about it at once. */
  observed(node: Frozen<Node> | undefined): boolean {
    const before = this.#node;
    this.#node = node;
    if (!before) return false;
    const lost = !node || node.metadata.uid !== before.metadata.uid;
    // The node controller took it for dead meanwhile, say, or it was given resources.
    if (lost || this.#contradicts(node)) this.#reportedAt = -Infinity;
    if (lost) this.#renewedAt = -Infinity;
    return this.#reportedAt === -Infinity || volumesToRelease(node).length > 0;
  }

  /** Registers it, tells its status and renews its Lease, each when it is due. Returns when the next is, in milliseconds. */
  async sync(): Promise<number> {
    const { client, clock } = this.options;
    this.#node ??= await this.#register();
    if (clock.monotonic() - this.#renewedAt >= renewMs - 500) {
      await this.#lease.renew(clock.now());
      // The first time sooner by a share that differs from node to node, so that they don't all renew at once.
      this.#renewedAt = clock.monotonic() - (this.#renewedAt === -Infinity ? renewMs * ((this.index * goldenShare) % 1) : 0);
    }
    if (clock.monotonic() - this.#reportedAt >= reportMs) {
      const { addresses, ...rest } = nodeStatus(this.shape, this.address, this.#node, this.#troubles, clock.now());
      const allocatable = { ...allocatableToFollow(this.#node?.status), ...rest.allocatable };
      const body = { status: { ...rest, allocatable, addresses: [...addresses!, { $patch: "replace" }] } };
      const reportedAt = this.#reportedAt = clock.monotonic();
      try {
        const node = await client.patch(nodes, { name: this.name }, { type: "application/strategic-merge-patch+json", body }, { subresource: "status" });
        if (this.#reportedAt === reportedAt) this.#node = node;
      } catch (error) {
        this.#reportedAt = -Infinity;
        if (isNotFound(error)) this.#node = undefined;
        throw error;
      }
    }
    await this.#releaseVolumes();
    return Math.max(0, this.#renewedAt + renewMs - clock.monotonic());
  }

  async delete(): Promise<void> {
    const { client } = this.options;
    const ignoreMissing = (error: unknown): void => {
      if (!isNotFound(error)) throw error;
    };
    await client.delete(nodes, { name: this.name }).catch(ignoreMissing);
    await client.delete(leases, { namespace: "kube-node-lease", name: this.name }).catch(ignoreMissing);
  }

  /** It has no directories of volumes: those that are to go are gone. */
  async #releaseVolumes(): Promise<void> {
    const released = volumesToRelease(this.#node).map((name) => [releaseAnnotation(name), "released"]);
    if (released.length === 0) return;
    this.#node = await this.options.client.patch(nodes, { name: this.name }, { type: "application/merge-patch+json", body: { metadata: { annotations: Object.fromEntries(released) } } });
  }

  #admitting(node: Frozen<Node> = nodeOf(this.shape)): AdmittingNode {
    const { metadata, spec, status } = node;
    return { name: this.name, labels: metadata.labels ?? {}, taints: spec?.taints ?? [], allocatable: status?.allocatable ?? resourcesOf(this.shape), supplementalGroupsPolicy: true, appArmor: true };
  }

  #contradicts(node: Frozen<Node>): boolean {
    const wanted = nodeStatus(this.shape, this.address, node, this.#troubles, 0).conditions!;
    return hasToFollow(node.status) || wanted.some(({ type, status }) => node.status?.conditions?.some((said) => said.type === type && said.status !== status));
  }

  async #register(): Promise<Frozen<Node>> {
    const { client } = this.options;
    const node = nodeOf(this.shape);
    try {
      return await client.create(nodes, node);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      return client.patch(nodes, { name: this.name }, { type: "application/merge-patch+json", body: { metadata: { labels: node.metadata.labels } } });
    }
  }
}
