import { keyOf, type Frozen, type KubeObject } from "../apimachinery/meta.ts";
import type { ChangeHandler, Lister } from "./informer.ts";
import type { KeptCollection } from "./object-keeper.ts";

/** The objects of one informer, by key; tells its handlers of each change. With a kept collection it begins with what that holds, and keeps it up to date. */
export class ObjectStore<T extends KubeObject> implements Lister<T> {
  readonly #objects = new Map<string, Frozen<T>>();
  /** Keys by the uid of the controlling owner. */
  readonly #controlled = new Map<string, Set<string>>();
  readonly #handlers = new Set<ChangeHandler<T>>();
  readonly #kept?: KeptCollection<T>;
  #resourceVersion = "";

  constructor(kept?: KeptCollection<T>) {
    const { resourceVersion = "", objects = [] } = kept?.load() ?? {};
    this.#resourceVersion = resourceVersion;
    for (const object of objects) this.set(object);
    this.#kept = kept;
  }

  get resourceVersion(): string {
    return this.#resourceVersion;
  }

  set resourceVersion(reached: string) {
    this.#resourceVersion = reached;
    this.#kept?.reached(reached);
  }

  get(key: string): Frozen<T> | undefined {
    return this.#objects.get(key);
  }

  list(namespace?: string): readonly Frozen<T>[] {
    const all = [...this.#objects.values()];
    return namespace ? all.filter((object) => metadata(object).namespace === namespace) : all;
  }

  controlledBy(ownerUid: string): readonly Frozen<T>[] {
    return [...(this.#controlled.get(ownerUid) ?? [])].map((key) => this.#objects.get(key)!);
  }

  onChange(handler: ChangeHandler<T>): () => void {
    for (const object of this.#objects.values()) handler(undefined, object);
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  set(object: Frozen<T>): void {
    const key = keyOf(object as KubeObject);
    const old = this.#objects.get(key);
    if (old && metadata(old).resourceVersion === metadata(object).resourceVersion) return;
    this.#index(key, old, object);
    this.#objects.set(key, object);
    this.#kept?.set(object, old);
    for (const handler of this.#handlers) handler(old, object);
  }

  /** `last` is the state at deletion, where known. */
  delete(key: string, last?: Frozen<T>): void {
    const old = this.#objects.get(key);
    if (!old) return;
    this.#index(key, old, undefined);
    this.#objects.delete(key);
    this.#kept?.delete(key, old);
    for (const handler of this.#handlers) handler(last ?? old, undefined);
  }

  /** Takes a complete list: what is not in it is gone, and what has another uid was deleted in between. */
  replace(objects: readonly Frozen<T>[]): void {
    const present = new Map(objects.map((object) => [keyOf(object as KubeObject), object]));
    for (const [key, old] of this.#objects) {
      const current = present.get(key);
      if (!current || metadata(current).uid !== metadata(old).uid) this.delete(key);
    }
    for (const object of objects) this.set(object);
  }

  #index(key: string, old: Frozen<T> | undefined, current: Frozen<T> | undefined): void {
    const before = controllerUid(old), after = controllerUid(current);
    if (before === after) return;
    if (before) {
      const keys = this.#controlled.get(before);
      keys?.delete(key);
      if (keys?.size === 0) this.#controlled.delete(before);
    }
    if (after) {
      const keys = this.#controlled.get(after) ?? new Set();
      this.#controlled.set(after, keys.add(key));
    }
  }
}

const metadata = (object: unknown): Frozen<KubeObject["metadata"]> => (object as Frozen<KubeObject>).metadata;
const controllerUid = (object: unknown): string | undefined => (object ? metadata(object).ownerReferences?.find((ref) => ref.controller)?.uid : undefined);
