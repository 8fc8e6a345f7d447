import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { ResourceCard } from "../apimachinery/resource.ts";
import type { CacheEvent, Entry } from "../storage/cacher/cacher.ts";

/** Most kinds are served as they are stored, and then nothing is waited for. */
export type MaybePromise<T> = T | Promise<T>;

/** Stored entries as `card` serves them, in the same order. */
export function servedEntries<T extends KubeObject>(card: ResourceCard<T>, entries: readonly Entry[]): MaybePromise<readonly Entry<T>[]> {
  const { stored } = card;
  if (!stored) return entries as readonly Entry<T>[];
  return then(stored.read(entries.map(({ object }) => object)), (objects) => entries.map((entry, index) => ({ ...entry, object: objects[index]! })));
}

export function servedEntry<T extends KubeObject>(card: ResourceCard<T>, entry: Entry | undefined): MaybePromise<Entry<T> | undefined> {
  return entry && then(servedEntries(card, [entry]), ([served]) => served);
}

/** Cached events as `card` serves them, their former states too. */
export function servedEvents<T extends KubeObject>(card: ResourceCard<T>, events: readonly CacheEvent[]): MaybePromise<readonly CacheEvent<T>[]> {
  const { stored } = card;
  if (!stored) return events as readonly CacheEvent<T>[];
  const states = events.flatMap(({ object, previous }) => (previous ? [object, previous] : [object]));
  return then(stored.read(states), (served) => {
    let next = 0;
    const take = (): Frozen<T> => served[next++]!;
    return events.map((event) => ({ ...event, object: take(), ...(event.previous ? { previous: take() } : {}) }) as CacheEvent<T>);
  });
}

const then = <A, B>(value: MaybePromise<A>, go: (value: A) => B): MaybePromise<B> => (value instanceof Promise ? value.then(go) : go(value));
