import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import type { ResourceCard } from "../../apimachinery/resource.ts";
import type { ObjectKey } from "../../client/client.ts";
import type { Machinery } from "../machinery.ts";
import type { Entry } from "../../storage/cacher/cacher.ts";
import type { WriteRequest } from "../registry.ts";
import { lostRace } from "../update.ts";

/** Changes an object in a way that no PUT may: the subresource itself is the check. `change` throws to refuse. */
export async function updateView<T extends KubeObject>(machinery: Machinery, card: ResourceCard<T>, key: ObjectKey, { dryRun }: WriteRequest, change: (current: Frozen<T>) => T): Promise<Frozen<T>> {
  for (;;) {
    const entry = await machinery.store.mustGet(card, key);
    const object = change(entry.object);
    if (dryRun) return object as Frozen<T>;
    try {
      return await machinery.store.update(card, key, entry.revision, object);
    } catch (error) {
      if (!(await lostRace(machinery, card, key, entry as Entry, error))) throw error;
    }
  }
}
