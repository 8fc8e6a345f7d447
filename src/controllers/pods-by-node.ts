import { keyOf, type Frozen } from "../apimachinery/meta.ts";
import type { Pod } from "../apis/generated/core/v1.ts";

/**
 * Keys of the pods of each node: what a node's change concerns is found without looking at all pods. Kept up to date by every controller
 * that reads it, from a watch of pods of its own; several may share one.
 */
export class PodsByNode {
  readonly #keys = new Map<string, Set<string>>();

  track(current: Frozen<Pod> | undefined, old: Frozen<Pod> | undefined): void {
    const before = old?.spec.nodeName, after = current?.spec.nodeName;
    if (before === after && current && old) return;
    if (before) {
      const keys = this.#keys.get(before);
      keys?.delete(keyOf(old!));
      if (keys?.size === 0) this.#keys.delete(before);
    }
    if (after) this.#keys.set(after, (this.#keys.get(after) ?? new Set()).add(keyOf(current!)));
  }

  on(node: string): readonly string[] {
    return [...(this.#keys.get(node) ?? [])];
  }

  isEmpty(node: string): boolean {
    return !this.#keys.has(node);
  }
}
