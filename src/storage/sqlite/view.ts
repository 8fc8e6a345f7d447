import type { Stored, StorageEvent } from "../storage.ts";
import { pageRows, type Reader } from "./reader.ts";
import type { VolatileLog } from "./volatile-log.ts";
import type { VolatileStates } from "./volatile-states.ts";

/** What memory says a key was at the revision asked for. */
interface Known {
  /** Undefined when it was not there. */
  stored: Stored | undefined;
  /** The write that ended this, volatile too. */
  until: number;
}

/** The file and what memory has beyond it, read as one. */
export class View {
  constructor(private readonly reader: Reader, private readonly states: VolatileStates, private readonly log: VolatileLog) {}

  get(key: string, revision: number): Stored | undefined {
    const state = this.states.get(key);
    if (!state) return this.reader.get(key, revision);
    return state.value && { key, value: state.value, revision: state.revision };
  }

  /** The newest state of a key, in the file or to be there soon. */
  head(key: string): { revision: number; value: Uint8Array } | undefined {
    const state = this.states.get(key);
    if (!state) return this.reader.head(key);
    return state.value && { value: state.value, revision: state.revision };
  }

  list(prefix: string, after: string, revision: number, limit: number | undefined): { items: Stored[]; more: boolean } {
    const known = this.#known(prefix, after, revision);
    const most = limit === undefined ? -1 : limit + 1;
    const items: Stored[] = [];
    for (let from = after, ended = false; !ended && (limit === undefined || items.length <= limit);) {
      const page = this.reader.list(prefix, from, revision, most);
      ended = page.length < most || limit === undefined;
      const end = ended ? undefined : page.at(-1)!.key;
      this.#merge(items, page, known, revision, end);
      from = end ?? from;
    }
    const more = limit !== undefined && items.length > limit;
    return { items: more ? items.slice(0, limit) : items, more };
  }

  history(prefix: string, from: number, to: number): { events: StorageEvent[]; reached: number } {
    const page = this.reader.history(prefix, from, to);
    let { reached } = page;
    const events = new Map(page.events.map((event) => [event.revision, event]));
    let told = 0;
    for (const event of this.log.after(from, prefix)) {
      if (event.revision > reached) break;
      events.set(event.revision, event);
      if (++told === pageRows) reached = event.revision;
    }
    return { events: [...events.values()].filter(({ revision }) => revision <= reached).sort((a, b) => a.revision - b.revision), reached };
  }

  /** By key, in order: what the file doesn't know. */
  #known(prefix: string, after: string, revision: number): Map<string, Known> {
    const known = new Map<string, Known>();
    for (const [key, stored] of this.states.at(prefix, revision)) known.set(key, { stored, until: Infinity });
    const seen = new Set<string>();
    for (const { key, previous, previousRevision = 0, revision: until } of this.log.after(revision, prefix)) {
      if (seen.has(key)) continue;
      seen.add(key);
      // A write between the two, which this one followed, is the file's to tell of.
      if (previousRevision > revision) continue;
      known.set(key, { stored: previous && { key, value: previous, revision: previousRevision }, until });
    }
    return new Map([...known].filter(([key]) => key > after).sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Adds a page of the file and what is known of keys up to `end`, and takes that from `known`. */
  #merge(items: Stored[], page: readonly Stored[], known: Map<string, Known>, revision: number, end: string | undefined): void {
    if (known.size === 0) return void items.push(...page);
    const keys = known.keys();
    let next = keys.next().value;
    const until = (key: string | undefined): void => {
      for (; next !== undefined && (key === undefined || next < key); next = keys.next().value) {
        const { stored } = known.get(next)!;
        known.delete(next);
        if (stored) items.push(stored);
      }
    };
    for (const item of page) {
      until(item.key);
      if (next !== item.key) {
        items.push(item);
        continue;
      }
      const { stored, until: ended } = known.get(next)!;
      known.delete(next);
      next = keys.next().value;
      if (stored) items.push(stored);
      else if (ended < Infinity && this.reader.wrote(item.key, revision, ended)) items.push(item);
    }
    if (end === undefined) until(undefined);
  }
}
