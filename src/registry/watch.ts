import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { ResourceCard } from "../apimachinery/resource.ts";
import type { WatchEvent, WatchOptions } from "../client/client.ts";
import type { CacheEvent, Cacher, Entry } from "../storage/cacher/cacher.ts";
import { bookmarkOf, type Bookmarks } from "./bookmarks.ts";
import { freshEnough, parseRevision, validateWatchOptions, withWatchDefaults } from "./list-options.ts";
import { parseSelection, type Selection } from "./selection.ts";
import { prefixOf, translate } from "./store.ts";
import { servedEntries, servedEvents, type MaybePromise } from "./stored-form.ts";

const initialEventsEnd = { "k8s.io/initial-events-end": "true" };

/** WATCH: what exists where asked, then what happens, until `signal` aborts. */
export async function watchObjects<T extends KubeObject>({ cacher, bookmarks }: { cacher: Cacher; bookmarks: Bookmarks }, card: ResourceCard<T>, given: WatchOptions, onEvents: (events: readonly WatchEvent<T>[]) => void, signal: AbortSignal): Promise<void> {
  const options = withWatchDefaults(given);
  validateWatchOptions(options);
  const prefix = prefixOf(card, options.namespace);
  const selection = parseSelection(card, options);
  const asked = parseRevision(options.resourceVersion);
  if (asked > cacher.revision || (cacher.shared && !options.resourceVersion)) {
    await freshEnough(cacher, options.resourceVersion, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
  if (signal.aborted) return;

  const now = cacher.revision;
  const from = options.sendInitialEvents || asked === 0 ? now : asked;
  if (options.sendInitialEvents) {
    const initial = initialEvents(await servedEntries(card, cacher.list(prefix)), selection);
    if (options.allowWatchBookmarks) initial.push({ type: "BOOKMARK", object: bookmarkOf(card, now, initialEventsEnd) as Frozen<KubeObject> });
    if (initial.length) onEvents(initial);
  }
  const progress = new Progress(from);
  const inOrder = new Sequence();
  const ended = options.allowWatchBookmarks ? bookmarks.add({
    card,
    send: (object, revision) => {
      if (progress.mayBookmark(revision)) inOrder.run(object as Frozen<KubeObject>, (bookmark) => onEvents([{ type: "BOOKMARK", object: bookmark }]));
    },
  }) : undefined;
  const over = new AbortController();
  try {
    const watching = cacher.watch(prefix, from, (events) => {
      progress.delivered(events.at(-1)!.revision);
      inOrder.run(servedEvents(card, events), (served) => {
        const selected = selection.all ? served : select(served, selection);
        if (selected.length) onEvents(selected);
      });
    }, card.stored ? AbortSignal.any([signal, over.signal]) : signal, () => progress.live());
    await Promise.race([watching, inOrder.failed]);
  } catch (error) {
    throw translate(error, card, "");
  } finally {
    over.abort();
    ended?.();
  }
}

function initialEvents<T extends KubeObject>(entries: readonly Entry<T>[], selection: Selection<T>): WatchEvent<T>[] {
  const events: WatchEvent<T>[] = [];
  for (const { object } of entries) if (selection.matches(object)) events.push({ type: "ADDED", object });
  return events;
}

/** With a selector, an object that starts to match is added, and one that stops to is deleted. */
function select<T extends KubeObject>(events: readonly CacheEvent<T>[], { matches }: Selection<T>): WatchEvent<T>[] {
  const selected: WatchEvent<T>[] = [];
  for (const event of events) {
    const is = matches(event.object);
    const was = event.type === "MODIFIED" ? matches(event.previous!) : is;
    if (is && was) selected.push(event);
    else if (is) selected.push({ type: "ADDED", object: event.object });
    else if (was) selected.push({ type: "DELETED", object: leaving(event) });
  }
  return selected;
}

const departed = new WeakMap<object, object>();

/** The last state that matched, carrying the revision at which it stopped to; one object for all watchers of the event. */
function leaving<T extends KubeObject>({ object, previous }: CacheEvent<T>): Frozen<T> {
  let last = departed.get(object) as Frozen<T> | undefined;
  if (!last) {
    const { metadata } = previous as Frozen<KubeObject>;
    last = { ...previous, metadata: { ...metadata, resourceVersion: (object as Frozen<KubeObject>).metadata.resourceVersion } } as Frozen<T>;
    departed.set(object, last as object);
  }
  return last;
}

/** Passes values on in the order they came, at once while none has to be waited for, as objects have that a webhook converts. */
class Sequence {
  #last: Promise<void> | undefined;
  #fail!: (error: unknown) => void;
  /** Rejects when a value could not be had; what comes after it is not passed on. */
  readonly failed = new Promise<never>((_, reject) => {
    this.#fail = reject;
  });

  run<A>(value: MaybePromise<A>, go: (value: A) => void): void {
    if (!this.#last && !(value instanceof Promise)) return go(value);
    const turn = Promise.all([value, this.#last]).then(([ready]) => {
      go(ready);
      if (this.#last === turn) this.#last = undefined;
    });
    this.#last = turn;
    turn.catch(this.#fail);
  }
}

/** How far a watch has come; a bookmark must not promise events that history has yet to deliver. */
class Progress {
  #live = false;

  constructor(private revision: number) {}

  live(): void {
    this.#live = true;
  }

  delivered(revision: number): void {
    this.revision = revision;
  }

  mayBookmark(revision: number): boolean {
    if (!this.#live || revision <= this.revision) return false;
    this.revision = revision;
    return true;
  }
}
