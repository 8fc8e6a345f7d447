import { isAlreadyExists, isConflict } from "../../../src/apimachinery/status.ts";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import { nodes } from "../../../src/apis/core/node.ts";
import type { Node } from "../../../src/apis/generated/core/v1.ts";
import type { CSINode, CSINodeDriver } from "../../../src/apis/generated/storage/v1.ts";
import { csinodes } from "../../../src/apis/storage/csinode.ts";
import { isNotFound } from "../../../src/apimachinery/status.ts";
import type { Client } from "../../../src/client/client.ts";
import type { DriverNodeInfo } from "./csi-driver.ts";

const nodeIdAnnotation = "csi.volume.kubernetes.io/nodeid";
const attempts = 5;

export interface CsiNodeOptions {
  client: Client;
  nodeName: string;
  node(): Frozen<Node> | undefined;
}

/**
 * Tells scheduler and controllers which drivers this node has: in its CSINode, and where the volumes' topology asks for it in labels of the Node.
 * Source: k8s.io/kubernetes/pkg/volume/csi/nodeinfomanager.
 */
export class CsiNodeObject {
  /** One change after the other: each begins from what the last has left. */
  #last: Promise<unknown> = Promise.resolve();
  constructor(private readonly options: CsiNodeOptions) {}

  /** It is there, and this Node's. */
  ensure(): Promise<void> {
    return this.#change(() => this.#update((drivers) => [...drivers]));
  }

  add(name: string, info: DriverNodeInfo): Promise<void> {
    return this.#change(async () => {
      await this.#annotate(name, info);
      const topologyKeys = Object.keys(info.topology).toSorted();
      const driver: CSINodeDriver = { name, nodeID: info.nodeId, topologyKeys, ...(info.maxVolumes > 0 ? { allocatable: { count: info.maxVolumes } } : {}) };
      await this.#update((drivers) => [...drivers.filter((each) => each.name !== name), driver]);
    });
  }

  remove(name: string): Promise<void> {
    return this.#change(async () => {
      await this.#annotate(name, undefined);
      await this.#update((drivers) => drivers.filter((each) => each.name !== name));
    });
  }

  #change(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work, work);
    this.#last = done.catch(() => {});
    return done;
  }

  async #annotate(name: string, info: DriverNodeInfo | undefined): Promise<void> {
    const { client, nodeName } = this.options;
    const node = await client.get(nodes, { name: nodeName });
    const ids = JSON.parse(node.metadata.annotations?.[nodeIdAnnotation] ?? "{}") as Record<string, string>;
    const { [name]: known, ...others } = ids;
    const labels = Object.fromEntries(Object.entries(info?.topology ?? {}).filter(([key, value]) => node.metadata.labels?.[key] !== value));
    for (const [key, value] of Object.entries(labels)) {
      const present = node.metadata.labels?.[key];
      if (present !== undefined) throw new Error(`detected topology value collision: driver reported "${key}":"${value}" but existing label is "${key}":"${present}"`);
    }
    if (known === info?.nodeId && Object.keys(labels).length === 0) return;
    const wanted = info ? { ...others, [name]: info.nodeId } : others;
    const annotation = Object.keys(wanted).length > 0 ? JSON.stringify(wanted) : null;
    await client.patch(nodes, { name: nodeName }, { type: "application/merge-patch+json", body: { metadata: { annotations: { [nodeIdAnnotation]: annotation }, labels } } });
  }

  async #update(change: (drivers: readonly CSINodeDriver[]) => CSINodeDriver[]): Promise<void> {
    const { client, nodeName, node } = this.options;
    for (let attempt = 1; ; attempt++) {
      try {
        const current = await client.get(csinodes, { name: nodeName }).catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
          return undefined;
        });
        const drivers = change((current?.spec.drivers ?? []) as CSINodeDriver[]);
        const uid = node()?.metadata.uid ?? (await client.get(nodes, { name: nodeName })).metadata.uid!;
        const ownerReferences = [{ apiVersion: "v1", kind: "Node", name: nodeName, uid }];
        // One that belongs to a Node of that name which was deleted is about to go.
        const isOurs = current?.metadata.ownerReferences?.some((owner) => owner.uid === uid) ?? false;
        if (!current) await client.create(csinodes, { apiVersion: "storage.k8s.io/v1", kind: "CSINode", metadata: { name: nodeName, ownerReferences }, spec: { drivers } });
        else if (!isOurs || !Bun.deepEquals(drivers, current.spec.drivers)) await client.update(csinodes, { ...(current as CSINode), metadata: { ...(current as CSINode).metadata, ownerReferences }, spec: { drivers } });
        return;
      } catch (error) {
        if (attempt === attempts || !(isConflict(error) || isAlreadyExists(error))) throw error;
      }
    }
  }
}
