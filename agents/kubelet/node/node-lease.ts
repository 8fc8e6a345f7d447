import { isConflict, isNotFound } from "../../../src/apimachinery/status.ts";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import { leases } from "../../../src/apis/coordination/lease.ts";
import type { Lease } from "../../../src/apis/generated/coordination/v1.ts";
import type { Client } from "../../../src/client/client.ts";

const namespace = "kube-node-lease";
const durationSeconds = 40;

/** The node's heartbeat: a Lease of its name, renewed every ten seconds by whoever calls. */
export class NodeLease {
  #lease?: Frozen<Lease>;
  constructor(private readonly options: { client: Client; nodeName: string; nodeUid(): string | undefined }) {}

  async renew(now: number): Promise<void> {
    const { client, nodeName } = this.options;
    try {
      this.#lease = this.#lease ? await client.update(leases, this.#renewed(this.#lease, now)) : await this.#findOrCreate(now);
    } catch (error) {
      // Another wrote it, or it was deleted: look again next time, which is soon.
      this.#lease = undefined;
      if (!isConflict(error) && !isNotFound(error)) throw error;
      this.#lease = await this.#findOrCreate(now).catch(() => undefined);
      if (!this.#lease) throw new Error(`the lease of node ${nodeName} was not renewed`, { cause: error });
    }
  }

  async #findOrCreate(now: number): Promise<Frozen<Lease>> {
    const { client, nodeName, nodeUid } = this.options;
    try {
      const found = await client.get(leases, { namespace, name: nodeName });
      return await client.update(leases, this.#renewed(found, now));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const uid = nodeUid();
      const ownerReferences = uid ? [{ apiVersion: "v1", kind: "Node", name: nodeName, uid }] : undefined;
      return client.create(leases, {
        apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: nodeName, namespace, ...(ownerReferences ? { ownerReferences } : {}) },
        spec: { holderIdentity: nodeName, leaseDurationSeconds: durationSeconds, renewTime: microTime(now) },
      });
    }
  }

  #renewed(lease: Frozen<Lease>, now: number): Lease {
    const copy = structuredClone(lease) as Lease;
    copy.spec = { ...copy.spec, holderIdentity: this.options.nodeName, leaseDurationSeconds: durationSeconds, renewTime: microTime(now) };
    return copy;
  }
}

/** As metav1.MicroTime is written. */
const microTime = (now: number): string => new Date(now).toISOString().replace(/Z$/, "000Z");
