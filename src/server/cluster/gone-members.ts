import { nodes } from "../../apis/core/node.ts";
import type { Clock } from "../../base/clock.ts";
import { logger } from "../../base/log.ts";
import type { InformerFactory } from "../../client/informer.ts";
import type { EtcdClient } from "../../storage/etcd/etcd-client.ts";

const log = logger("servers");
const lookMs = 5000;

/** One that was heard of so long after its Node was deleted lives. */
const livesAfterMs = 10_000;

export interface GoneMembersDependencies {
  client: EtcdClient;
  informers: InformerFactory;
  /** When a server was last heard of, by the monotonic clock; undefined when it is gone. */
  heardOf(server: string): number | undefined;
  /** Whether this server is the one that does what one alone may do. */
  leads(): boolean;
  clock: Clock;
}

/**
 * Removes the member of a server that doesn't run any more once its Node is deleted, so that etcd doesn't count on it. All servers look out for that, since
 * the one that leads may be another by the time it can be done. Resolves when `signal` aborts.
 */
export async function removeGoneMembers({ client, informers, heardOf, leads, clock }: GoneMembersDependencies, signal: AbortSignal): Promise<void> {
  const informer = informers.informer(nodes);
  /** When each was seen to be deleted. */
  const deleted = new Map<string, number>();
  let wake = (): void => undefined;
  const unsubscribe = informer.onChange((old, current) => {
    if (current || !old) return;
    deleted.set(old.metadata.name!, clock.monotonic());
    wake();
  });
  signal.addEventListener("abort", () => wake(), { once: true });
  while (!signal.aborted) {
    for (const [name, at] of deleted) if (informer.lister.get(name) || (heardOf(name) ?? -Infinity) > at + livesAfterMs) deleted.delete(name);
    const gone = [...deleted.keys()].filter((name) => heardOf(name) === undefined);
    try {
      const { members = [] } = gone.length > 0 ? await client.call("MemberList", {}, { repeatable: true }) : {};
      for (const name of gone) {
        const member = members.find((each) => each.name === name);
        if (member && !leads()) continue;
        if (member) {
          await client.call("MemberRemove", { id: member.id }, { repeatable: false });
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
