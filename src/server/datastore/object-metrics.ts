import type { AnyResource } from "../../apimachinery/resource.ts";
import type { MetricsRegistry } from "../../base/metrics.ts";
import { prefixOf } from "../../registry/store.ts";

/** How many objects there are of each kind that is stored, counted when somebody scrapes. Names and labels are kube-apiserver's, the older and the newer. */
export function registerObjectMetrics(metrics: MetricsRegistry, { cards, count }: { cards(): readonly AnyResource[]; count(prefix: string): number }): void {
  const help = "Number of stored objects at the time of last check split by kind.";
  const objects = function* (labels: (group: string, resource: string) => string[]): Generator<[string[], number]> {
    for (const [prefix, { group, resource }] of storedKinds(cards())) yield [labels(group, resource), count(prefix)];
  };
  metrics.callback({ name: "apiserver_storage_objects", help, type: "gauge", labels: ["resource"], read: () => objects((group, resource) => [group ? `${resource}.${group}` : resource]) });
  metrics.callback({ name: "apiserver_resource_objects", help, type: "gauge", labels: ["group", "resource"], read: () => objects((group, resource) => [group, resource]) });
}

/** By the prefix of their keys. Versions of a kind are one, and so are Events of both groups. */
function storedKinds(cards: readonly AnyResource[]): Map<string, { group: string; resource: string }> {
  const kinds = new Map<string, { group: string; resource: string }>();
  // What is only answered or computed can't be watched.
  for (const card of cards) if (card.verbs.includes("watch")) kinds.set(prefixOf(card), card.stored ?? card);
  return kinds;
}
