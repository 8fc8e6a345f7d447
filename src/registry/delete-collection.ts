import { cloneJson } from "../apimachinery/clone.ts";
import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { ResourceCard } from "../apimachinery/resource.ts";
import { isNotFound } from "../apimachinery/status.ts";
import type { DeleteOptions } from "../apis/generated/meta/v1.ts";
import type { ListOptions, ObjectList } from "../client/client.ts";
import type { RequestContext } from "./attributes.ts";
import { deleteObject } from "./delete.ts";
import { validateDeleteOptions } from "./delete-options.ts";
import { listObjects } from "./list.ts";
import type { Machinery } from "./machinery.ts";

/** Deletions in flight at once: enough for storage to commit them in groups. */
const concurrency = 32;

/** Deletes what a list selects, each as a DELETE of its own; answers with what was selected. */
export async function deleteCollection<T extends KubeObject>(machinery: Machinery, context: RequestContext, card: ResourceCard<T>, options: ListOptions, deleteOptions: DeleteOptions = {}): Promise<ObjectList<T>> {
  validateDeleteOptions(deleteOptions);
  const selected = await listObjects(machinery.store.cacher, card, options);
  const queue = selected.items.values();
  await Promise.all(Array.from({ length: Math.min(concurrency, selected.items.length) }, async () => {
    for (const object of queue) await deleteIfThere(object);
  }));
  return selected;

  async function deleteIfThere(object: Frozen<T>): Promise<void> {
    const { namespace, name } = (object as Frozen<KubeObject>).metadata;
    try {
      await deleteObject(machinery, context, card, { namespace, name: name! }, cloneJson(deleteOptions));
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}
