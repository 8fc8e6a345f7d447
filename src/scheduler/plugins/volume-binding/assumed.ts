import { keyOf, type Frozen, type KubeObject } from "../../../apimachinery/meta.ts";
import type { Lister } from "../../../client/informer.ts";

/**
 * A lister's objects as they will be once what was decided is written: claims and volumes that are spoken for. An assumption holds until it is
 * taken back, or the object changes.
 */
export class Assumed<T extends KubeObject> {
  readonly #objects = new Map<string, Frozen<T>>();
  constructor(private readonly lister: Lister<T>) {}

  get(key: string): Frozen<T> | undefined {
    const current = this.lister.get(key);
    return current && this.#over(key, current);
  }

  list(): Frozen<T>[] {
    const current = this.lister.list();
    return this.#objects.size === 0 ? [...current] : current.map((object) => this.#over(keyOf(object as Frozen<KubeObject>), object));
  }

  /** `object` has the resourceVersion of the one it takes the place of. */
  assume(object: T): void {
    this.#objects.set(keyOf(object), object as Frozen<T>);
  }

  restore(object: Frozen<KubeObject>): void {
    this.#objects.delete(keyOf(object));
  }

  #over(key: string, current: Frozen<T>): Frozen<T> {
    const assumed = this.#objects.get(key);
    if (!assumed) return current;
    if (versionOf(assumed) === versionOf(current)) return assumed;
    this.#objects.delete(key);
    return current;
  }
}

const versionOf = (object: unknown): string | undefined => (object as Frozen<KubeObject>).metadata.resourceVersion;
