import { isObject } from "../../apimachinery/own.ts";
import type { Clock } from "../../base/clock.ts";
import { EtcdClient } from "../../storage/etcd/etcd-client.ts";
import { endOf, fromKey, toKey } from "../../storage/etcd/messages.ts";
import type { EtcdOptions } from "../datastore/etcd-options.ts";
import { leaseOf, renewMs } from "./live-servers.ts";

const lookMs = 500;
const leasesKey = `/registry/coordination.k8s.io/leases/kube-system/${leaseOf("")}`;

export interface OthersLiveDependencies {
  etcd: EtcdOptions;
  nodeName: string;
  clock: Clock;
}

/** Whether another server runs, for one that doesn't serve yet: looks at etcd itself, for as long as it takes to see the Lease of one renewed. */
export async function othersLive({ etcd, nodeName, clock }: OthersLiveDependencies): Promise<boolean> {
  return isRenewed({ etcd, clock }, async (client) => {
    const { kvs = [] } = await client.call("Range", { key: toKey(leasesKey), rangeEnd: endOf(leasesKey), keysOnly: true }, { repeatable: true });
    return new Map(kvs.map(({ key, modRevision }) => [fromKey(key).slice(leasesKey.length), modRevision] as const).filter(([name]) => name !== nodeName));
  });
}

/** Whether a server of this one's name runs, which isn't this one as it was before: `id` is what that was called, if it was. */
export async function namesakeLives({ etcd, nodeName, clock, id }: OthersLiveDependencies & { id: string | undefined }): Promise<boolean> {
  return isRenewed({ etcd, clock }, async (client) => {
    const { kvs = [] } = await client.call("Range", { key: toKey(leasesKey + nodeName) }, { repeatable: true });
    return new Map(kvs.filter(({ value }) => holderOf(value) !== `${nodeName}_${id}`).map(({ modRevision }) => [nodeName, modRevision]));
  });
}

/** True as soon as one of what `look` finds gets another revision, in the time in which a server renews its Lease. */
async function isRenewed({ etcd, clock }: Pick<OthersLiveDependencies, "etcd" | "clock">, look: (client: EtcdClient) => Promise<Map<string, number>>): Promise<boolean> {
  const client = new EtcdClient({ ...etcd, clock });
  try {
    await client.meet();
    const before = await look(client), until = clock.monotonic() + 2 * renewMs;
    for (let now = before; now.size > 0 && clock.monotonic() < until; now = await look(client)) {
      if ([...now].some(([name, revision]) => before.get(name) !== revision)) return true;
      await clock.sleep(lookMs);
    }
    return false;
  } finally {
    client.close();
  }
}

function holderOf(value: Uint8Array | undefined): unknown {
  try {
    const lease: unknown = JSON.parse(new TextDecoder().decode(value));
    return isObject(lease) && isObject(lease["spec"]) ? lease["spec"]["holderIdentity"] : undefined;
  } catch {
    // Encrypted, say.
    return undefined;
  }
}
