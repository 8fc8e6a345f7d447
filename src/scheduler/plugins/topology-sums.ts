import type { NodeInfo } from "../node-info.ts";

/** Sums by topology key and value: a place is all nodes that have that label. Sums that come to nothing are gone. */
export class TopologySums {
  readonly #sums = new Map<string, Map<string, number>>();

  get empty(): boolean {
    return this.#sums.size === 0;
  }

  /** Nodes without the label aren't in any place. */
  add(topologyKey: string, { labels }: Pick<NodeInfo, "labels">, amount: number): void {
    const value = amount === 0 ? undefined : labels[topologyKey];
    if (value === undefined) return;
    let sums = this.#sums.get(topologyKey);
    if (!sums) this.#sums.set(topologyKey, (sums = new Map()));
    const sum = (sums.get(value) ?? 0) + amount;
    if (sum !== 0) sums.set(value, sum);
    else {
      sums.delete(value);
      if (sums.size === 0) this.#sums.delete(topologyKey);
    }
  }

  has(topologyKey: string, { labels }: NodeInfo): boolean {
    const value = labels[topologyKey];
    return value !== undefined && (this.#sums.get(topologyKey)?.get(value) ?? 0) > 0;
  }

  /** Whether any of the node's labels is a place with something in it. */
  hasAny(node: NodeInfo): boolean {
    for (const topologyKey of this.#sums.keys()) if (this.has(topologyKey, node)) return true;
    return false;
  }

  /** Of all places the node is in. */
  sumAt({ labels }: NodeInfo): number {
    let sum = 0;
    for (const [topologyKey, sums] of this.#sums) {
      const value = labels[topologyKey];
      if (value !== undefined) sum += sums.get(value) ?? 0;
    }
    return sum;
  }

  clone(): TopologySums {
    const copy = new TopologySums();
    for (const [topologyKey, sums] of this.#sums) copy.#sums.set(topologyKey, new Map(sums));
    return copy;
  }
}
