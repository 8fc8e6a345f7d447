import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import type { ResourceCard } from "../../apimachinery/resource.ts";
import { isConflict } from "../../apimachinery/status.ts";
import type { ObjectKey } from "../../client/client.ts";
import type { Machinery } from "../machinery.ts";
import type { WriteRequest } from "../registry.ts";

const attempts = 5;

/** Changes an object in a way that no PUT may: the subresource itself is the check. `change` throws to refuse. */
export async function updateView<T extends KubeObject>({ store }: Machinery, card: ResourceCard<T>, key: ObjectKey, { dryRun }: WriteRequest, change: (current: Frozen<T>) => T): Promise<Frozen<T>> {
  for (let attempt = 1; ; attempt++) {
    const entry = store.mustGet(card, key);
    const object = change(entry.object);
    if (dryRun) return object as Frozen<T>;
    try {
      return await store.update(card, key, entry.revision, object);
    } catch (error) {
      if (!isConflict(error) || attempt === attempts) throw error;
    }
  }
}
