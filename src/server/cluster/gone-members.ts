import { nodes } from "../../apis/core/node.ts";
import type { Clock } from "../../base/clock.ts";
import { logger } from "../../base/log.ts";
import type { InformerFactory } from "../../client/informer.ts";
import type { EtcdClient } from "../../storage/etcd/etcd-client.ts";

const log = logger("servers");
const lookMs = 5000;

export interface GoneMembersDependencies {
  client: EtcdClient;
  informers: InformerFactory;
  /** Names of servers that live. */
  live(): readonly string[];
  clock: Clock;
}

/** Removes the member of a server that doesn't run any more once its Node is deleted, so that etcd doesn't count on it; the leader's part. Resolves when `signal` aborts. */
export async function removeGoneMembers({ client, informers, live, clock }: GoneMembersDependencies, signal: AbortSignal): Promise<void> {
  const informer = informers.informer(nodes), deleted = new Set<string>();
  let wake = (): void => undefined;
  const unsubscribe = informer.onChange((old, current) => {
    if (current || !old) return;
    deleted.add(old.metadata.name!);
    wake();
  });
  signal.addEventListener("abort", () => wake(), { once: true });
  while (!signal.aborted) {
    for (const name of deleted) if (informer.lister.get(name)) deleted.delete(name);
    try {
      for (const name of [...deleted].filter((each) => !live().includes(each))) {
        const { members = [] } = await client.call("MemberList", {}, { repeatable: true }), gone = members.find((member) => member.name === name);
        if (gone) {
          await client.call("MemberRemove", { id: gone.id }, { repeatable: false });
          log.info("The member of a server whose Node was deleted is gone", { server: name });
        }
        deleted.delete(name);
      }
    } catch (error) {
      log.warn("The member of a deleted server could not be removed, will try again", { error });
    }
    if (deleted.size > 0) await clock.sleep(lookMs, signal).catch(() => undefined);
    else if (!signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
  }
  unsubscribe();
}
