import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { Cacher, Entry } from "./cacher/cacher.ts";
import { StorageError } from "./storage.ts";

/**
 * Read, modify, write, again on conflict. `change` gets the current state and returns a new object to write, or undefined to leave it;
 * what it throws ends the update. Throws "notFound" when the object is gone, "conflict" after `attempts` lost races.
 * Like GuaranteedUpdate of k8s.io/apiserver/pkg/storage.
 */
export async function guaranteedUpdate<T extends KubeObject>(cacher: Cacher, key: string, change: (current: Frozen<T>) => T | undefined, attempts = 10): Promise<Entry<T>> {
  for (let attempt = 1; ; attempt++) {
    const entry = cacher.get<T>(key);
    if (!entry) throw new StorageError("notFound", `${key} does not exist`);
    const next = change(entry.object);
    if (!next) return entry;
    try {
      return await cacher.update(key, entry.revision, next);
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== "conflict" || attempt === attempts) throw error;
    }
  }
}
