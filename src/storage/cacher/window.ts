import type { CacheEvent, Entry } from "./entry.ts";
import { positionOf } from "./resource-set.ts";

/** The newest events, whole: everything after `start` is here. */
export class EventWindow {
  #events: CacheEvent[] = [];

  constructor(private readonly size: number, /** Events up to this revision are not here. */ public start: number) {}

  push(events: readonly CacheEvent[]): void {
    this.#events.push(...events);
    // Trimmed at twice the size, so that each event is moved once on average.
    if (this.#events.length <= this.size * 2) return;
    const dropped = this.#events.length - this.size;
    this.start = this.#events[dropped - 1]!.revision;
    this.#events = this.#events.slice(dropped);
  }

  /** Events of `prefix` after `revision`, which must not be before `start`. */
  after(revision: number, prefix: string): CacheEvent[] {
    return this.#events.slice(this.#firstAfter(revision)).filter(({ key }) => key.startsWith(prefix));
  }

  /** Turns `entries`, the present state of `prefix` in key order, into what it was at `revision`, which must not be before `start`. */
  undo(entries: Entry[], revision: number, prefix: string): Entry[] {
    const before = new Map<string, Entry | undefined>();
    for (const { key, previous } of this.after(revision, prefix)) {
      if (!before.has(key)) before.set(key, previous && { key, object: previous, revision: Number(previous.metadata.resourceVersion) });
    }
    for (const [key, entry] of before) {
      const position = positionOf(entries, key);
      const present = entries[position]?.key === key ? 1 : 0;
      entries.splice(position, present, ...(entry ? [entry] : []));
    }
    return entries;
  }

  #firstAfter(revision: number): number {
    let low = 0, high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#events[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
