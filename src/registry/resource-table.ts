import type { AnyResource } from "../apimachinery/resource.ts";

/** The cards that are served now. Built-in ones stay; custom resources come and go. */
export interface ResourceTable {
  /** A new array after each change, so that its identity says whether something changed. */
  readonly cards: readonly AnyResource[];
  find(group: string, version: string, resource: string): AnyResource | undefined;
  /** Puts `cards` in the place of what `owner` brought before; none takes the owner out. A name that another owner serves already is left to it. */
  set(owner: string, cards: readonly AnyResource[]): void;
  /** Called after each change. Returns the unsubscription. */
  onChange(handler: () => void): () => void;
}

export function createResourceTable(builtins: readonly AnyResource[]): ResourceTable {
  const owners = new Map<string, readonly AnyResource[]>();
  const handlers = new Set<() => void>();
  let byName = indexed([builtins]);
  let cards: readonly AnyResource[] = [...byName.values()];

  return {
    get cards() {
      return cards;
    },
    find: (group, version, resource) => byName.get(nameOf(group, version, resource)),
    set(owner, brought) {
      if (brought.length) owners.set(owner, brought);
      else if (!owners.delete(owner)) return;
      byName = indexed([builtins, ...owners.values()]);
      cards = [...byName.values()];
      for (const handler of handlers) handler();
    },
    onChange(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
  };
}

/** Runs `work` until `signal` aborts, or `card` is gone or another has taken its place: what it reads objects by is out of date then. */
export async function whileServed(table: ResourceTable, card: AnyResource, signal: AbortSignal, work: (until: AbortSignal) => Promise<void>): Promise<void> {
  const replaced = new AbortController();
  const unsubscribe = table.onChange(() => {
    if (table.find(card.group, card.version, card.resource) !== card) replaced.abort();
  });
  try {
    await work(AbortSignal.any([signal, replaced.signal]));
  } finally {
    unsubscribe();
  }
}

const nameOf = (group: string, version: string, resource: string): string => `${group}/${version}/${resource}`;

function indexed(groups: readonly (readonly AnyResource[])[]): Map<string, AnyResource> {
  const byName = new Map<string, AnyResource>();
  for (const cards of groups) {
    for (const card of cards) {
      const name = nameOf(card.group, card.version, card.resource);
      if (!byName.has(name)) byName.set(name, card);
    }
  }
  return byName;
}
