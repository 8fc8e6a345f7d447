import { keyOf, type Frozen, type KubeObject } from "../../src/apimachinery/meta.ts";
import type { ChangeHandler, Informer, Lister } from "../../src/client/informer.ts";

export interface Overlay<T extends KubeObject> {
  /** The names of what the object's picture depends on beside itself. */
  dependsOn(object: Frozen<T>): readonly string[];
  /** The object as it is to be seen; itself when there is nothing to change. */
  picture(object: Frozen<T>): Frozen<T>;
}

/** An informer whose objects are seen as an overlay pictures them. Costs nothing for objects that depend on nothing. */
export class OverlaidInformer<T extends KubeObject> implements Informer<T> {
  readonly #base: Informer<T>;
  readonly #overlay: Overlay<T>;
  /** Pictures that differ from their object, by key. */
  readonly #pictures = new Map<string, Frozen<T>>();
  /** Keys by the names they depend on. */
  readonly #dependants = new Map<string, Set<string>>();
  readonly #handlers = new Set<ChangeHandler<T>>();

  constructor(base: Informer<T>, overlay: Overlay<T>) {
    this.#base = base;
    this.#overlay = overlay;
    base.onChange((old, current) => this.#changed(old, current));
  }

  readonly lister: Lister<T> = ((informer: OverlaidInformer<T>) => ({
    get: (key) => informer.#pictures.get(key) ?? informer.#base.lister.get(key),
    list: (namespace) => informer.#seen(informer.#base.lister.list(namespace)),
    controlledBy: (uid) => informer.#seen(informer.#base.lister.controlledBy(uid)),
    get resourceVersion() {
      return informer.#base.lister.resourceVersion;
    },
  }))(this);

  onChange(handler: ChangeHandler<T>): () => void {
    for (const object of this.lister.list()) handler(undefined, object);
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  synced(signal?: AbortSignal): Promise<void> {
    return this.#base.synced(signal);
  }

  /** What goes by this name has changed. */
  touch(name: string): void {
    for (const key of this.#dependants.get(name) ?? []) {
      const object = this.#base.lister.get(key);
      if (!object) continue;
      const before = this.#pictures.get(key) ?? object, after = this.#draw(key, object);
      if (!Bun.deepEquals(before, after)) this.#tell(before, after);
    }
  }

  #changed(old: Frozen<T> | undefined, current: Frozen<T> | undefined): void {
    const key = keyOf((current ?? old) as Frozen<KubeObject>);
    const before = old && (this.#pictures.get(key) ?? old);
    for (const name of old ? this.#overlay.dependsOn(old) : []) {
      const keys = this.#dependants.get(name);
      keys?.delete(key);
      if (keys?.size === 0) this.#dependants.delete(name);
    }
    for (const name of current ? this.#overlay.dependsOn(current) : []) this.#dependants.set(name, (this.#dependants.get(name) ?? new Set()).add(key));
    this.#tell(before, current ? this.#draw(key, current) : void this.#pictures.delete(key));
  }

  #draw(key: string, object: Frozen<T>): Frozen<T> {
    const picture = this.#overlay.picture(object);
    if (picture === object) this.#pictures.delete(key);
    else this.#pictures.set(key, picture);
    return picture;
  }

  #seen(objects: readonly Frozen<T>[]): readonly Frozen<T>[] {
    return this.#pictures.size === 0 ? objects : objects.map((object) => this.#pictures.get(keyOf(object as Frozen<KubeObject>)) ?? object);
  }

  #tell(old: Frozen<T> | undefined, current: Frozen<T> | undefined): void {
    for (const handler of this.#handlers) handler(old, current);
  }
}
