import { semanticEqual } from "../apimachinery/equality.ts";
import { keyOf, type Frozen, type KubeObject } from "../apimachinery/meta.ts";
import type { ResourceCard } from "../apimachinery/resource.ts";
import { watchOf, type Listers, type Watch } from "../client/controller.ts";
import { controllerRef } from "./controller-ref.ts";

/** The objects of a kind that nobody controls: with them an owner finds what it may claim without looking at all others of its namespace. */
export interface Orphans<O extends KubeObject> {
  /** Keeps the list, and wakes the owners that might adopt. Belongs to one controller's `watches`. */
  readonly watch: Watch<O>;
  /** What `owner` controls and what nobody does, in its namespace. */
  claimable(owner: Frozen<KubeObject>, lister: Listers): Frozen<O>[];
}

/** Whether an orphan may have become somebody's. */
const isNews = (current: Frozen<KubeObject>, old: Frozen<KubeObject> | undefined): boolean =>
  !old || controllerRef(old) !== undefined || !semanticEqual(old.metadata.labels, current.metadata.labels);

/** `adopters` are the keys of those that select an object which nobody controls. */
export function followOrphans<O extends KubeObject>(card: ResourceCard<O>, adopters: (orphan: Frozen<O>, lister: Listers) => Iterable<string>): Orphans<O> {
  const byNamespace = new Map<string, Set<string>>();
  const keep = (object: Frozen<KubeObject>, orphaned: boolean): void => {
    const namespace = object.metadata.namespace ?? "", key = keyOf(object);
    const keys = byNamespace.get(namespace);
    if (orphaned) {
      if (keys) keys.add(key);
      else byNamespace.set(namespace, new Set([key]));
    } else if (keys?.delete(key) && keys.size === 0) byNamespace.delete(namespace);
  };
  return {
    watch: watchOf(card, (current, old, { lister }) => {
      const orphaned = current !== undefined && !controllerRef(current as Frozen<KubeObject>);
      keep((current ?? old!) as Frozen<KubeObject>, orphaned);
      return orphaned && isNews(current, old) ? adopters(current, lister) : [];
    }),
    claimable(owner, lister) {
      const all = lister(card);
      const free = [...(byNamespace.get(owner.metadata.namespace ?? "") ?? [])].map((key) => all.get(key)).filter((object) => object !== undefined);
      return [...all.controlledBy(owner.metadata.uid!), ...free];
    },
  };
}
