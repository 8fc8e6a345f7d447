import type { Clock } from "../../base/clock.ts";
import { EtcdClient } from "../../storage/etcd/etcd-client.ts";
import { endOf, fromKey, toKey } from "../../storage/etcd/messages.ts";
import type { EtcdOptions } from "../datastore/etcd-options.ts";
import { leaseOf, renewMs } from "./live-servers.ts";

const lookMs = 500;
const leasesKey = `/registry/coordination.k8s.io/leases/kube-system/${leaseOf("")}`;

/** Whether another server runs, for one that doesn't serve yet: looks at etcd itself, for as long as it takes to see the Lease of one renewed. */
export async function othersLive({ etcd, nodeName, clock }: { etcd: EtcdOptions; nodeName: string; clock: Clock }): Promise<boolean> {
  const client = new EtcdClient({ ...etcd, clock });
  const look = async (): Promise<Map<string, number>> => {
    const { kvs = [] } = await client.call("Range", { key: toKey(leasesKey), rangeEnd: endOf(leasesKey), keysOnly: true }, { repeatable: true });
    return new Map(kvs.map(({ key, modRevision }) => [fromKey(key).slice(leasesKey.length), modRevision] as const).filter(([name]) => name !== nodeName));
  };
  try {
    const before = await look(), until = clock.monotonic() + 2 * renewMs;
    for (let now = before; now.size > 0 && clock.monotonic() < until; now = await look()) {
      if ([...now].some(([name, revision]) => before.get(name) !== revision)) return true;
      await clock.sleep(lookMs);
    }
    return false;
  } finally {
    client.close();
  }
}
