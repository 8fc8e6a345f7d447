import { keyOf, type Frozen, type KubeObject } from "../../src/apimachinery/meta.ts";
import type { ChangeHandler, Informer } from "../../src/client/informer.ts";

/** An informer whose objects a test sets by hand. */
export function fakeInformer<T extends KubeObject>(...initial: T[]): Informer<T> & { put(object: T): void; remove(key: string): void } {
  const objects = new Map<string, Frozen<T>>();
  const handlers = new Set<ChangeHandler<T>>();
  const keyed = (object: T): string => keyOf(object as KubeObject);
  const informer: ReturnType<typeof fakeInformer<T>> = {
    lister: {
      get: (key) => objects.get(key),
      list: (namespace) => [...objects.values()].filter((object) => !namespace || (object as KubeObject).metadata.namespace === namespace),
      controlledBy: () => [],
      resourceVersion: "1",
    },
    onChange(handler) {
      handlers.add(handler);
      for (const object of objects.values()) handler(undefined, object);
      return () => handlers.delete(handler);
    },
    synced: async () => undefined,
    put(object) {
      const old = objects.get(keyed(object));
      objects.set(keyed(object), object as Frozen<T>);
      for (const handler of handlers) handler(old, object as Frozen<T>);
    },
    remove(key) {
      const old = objects.get(key);
      objects.delete(key);
      for (const handler of handlers) handler(old, undefined);
    },
  };
  for (const object of initial) informer.put(object);
  return informer;
}
