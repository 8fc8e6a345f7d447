import { isConflict, isNotFound } from "../../apimachinery/status.ts";
import { formatTime } from "../../apimachinery/time.ts";
import { storageversions } from "../../apis/apiserverinternal/storageversion.ts";
import { isIdentityLease } from "../../apis/coordination/identity-lease.ts";
import { leases } from "../../apis/coordination/lease.ts";
import type { ServerStorageVersion, StorageVersion } from "../../apis/generated/apiserverinternal/v1alpha1.ts";
import type { Clock } from "../../base/clock.ts";
import { logger } from "../../base/log.ts";
import { Workqueue } from "../../base/workqueue.ts";
import type { Client } from "../../client/client.ts";
import type { ServedKinds } from "../../client/controller.ts";
import type { InformerFactory } from "../../client/informer.ts";
import { planPublication, storageVersionsOf } from "./plan.ts";

export interface StorageVersionsDependencies {
  /** The name of this server's identity Lease: without it the garbage collector takes away what is said here. */
  apiServerID: string;
  kinds: ServedKinds;
  informers: InformerFactory;
  client: Client;
  clock: Clock;
}

const log = logger("storage-versions");

/**
 * Says in StorageVersion objects in which version this server stores each resource: at start, when kinds come, go or change, and when the
 * server's Lease is back after it was gone. Resolves when `signal` has aborted. Source: k8s.io/apiserver pkg/storageversion.
 */
export async function publishStorageVersions({ apiServerID, kinds, informers, client, clock }: StorageVersionsDependencies, signal: AbortSignal): Promise<void> {
  const queue = new Workqueue({ clock }), published = informers.informer(storageversions).lister;
  let wanted = new Map<string, ServerStorageVersion>();
  const compare = (): void => {
    const before = wanted;
    wanted = storageVersionsOf(kinds.cards, apiServerID);
    for (const name of new Set([...before.keys(), ...wanted.keys()])) if (!Bun.deepEquals(before.get(name), wanted.get(name))) queue.add(name);
  };
  // What was served when this server ran last may be served no more.
  for (const { metadata } of published.list()) queue.add(metadata.name!);
  compare();
  const unsubscribe = [
    kinds.onChange(compare),
    informers.informer(leases).onChange((old, lease) => {
      if (!old && lease?.metadata.name === apiServerID && isIdentityLease(lease)) for (const name of wanted.keys()) queue.add(name);
    }),
  ];
  const stop = (): void => queue.shutDown();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();

  const publish = async (name: string): Promise<void> => {
    const now = formatTime(clock.now()), current = published.get(name), plan = planPublication(current, wanted.get(name), { apiServerID, now });
    if (plan?.action === "create") {
      await client.create(storageversions, { metadata: { name }, spec: {}, status: {} });
      return publish(name);
    }
    if (plan?.action === "delete") await client.delete(storageversions, { name }, { preconditions: { resourceVersion: current!.metadata.resourceVersion } });
    if (plan?.action === "update") {
      await client.update(storageversions, { ...(structuredClone(current!) as StorageVersion), status: plan.status }, { subresource: "status" });
    }
  };

  for (let name = await queue.get(); name !== undefined; name = await queue.get()) {
    try {
      await publish(name);
      queue.forget(name);
    } catch (error) {
      queue.addRateLimited(name);
      if (!signal.aborted && !isConflict(error) && !isNotFound(error)) log.warn("A storage version could not be published, will try again", { name, error });
    }
    queue.done(name);
  }
  for (const end of unsubscribe) end();
}
