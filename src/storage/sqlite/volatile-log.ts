import type { StorageEvent } from "../storage.ts";

/** What is remembered at most. */
const keepEvents = 10_000;
const keepBytes = 8 << 20;

/**
 * Recent events that the file's history doesn't tell, or not rightly: volatile writes, and the write that ended a volatile state.
 * Complete for each resource from its floor on.
 */
export class VolatileLog {
  /** In order of revision; those before `#first` are forgotten. */
  #events: StorageEvent[] = [];
  #first = 0;
  #bytes = 0;
  /** By resource, the prefix of its keys: up to here something may be missing. */
  readonly #floors = new Map<string, number>();

  /** Of these resources nothing is known up to `revision`. */
  begin(resources: Iterable<string>, revision: number): void {
    for (const resource of resources) this.#floors.set(resource, revision);
  }

  push(event: StorageEvent): void {
    this.#events.push(event);
    this.#bytes += event.value.byteLength;
    while (this.#events.length - this.#first > keepEvents || this.#bytes > keepBytes) this.#forgetFirst();
    this.#tidy();
  }

  forget(revision: number): void {
    while (this.#first < this.#events.length && this.#events[this.#first]!.revision <= revision) this.#forgetFirst();
    this.#tidy();
  }

  /** The oldest revision from which all events of `prefix` are known here. */
  floor(prefix: string): number {
    let floor = 0;
    for (const [resource, revision] of this.#floors) if (revision > floor && (resource.startsWith(prefix) || prefix.startsWith(resource))) floor = revision;
    return floor;
  }

  /** In order, from the first after `revision`. */
  *after(revision: number, prefix: string): Generator<StorageEvent> {
    for (let at = this.#firstAfter(revision); at < this.#events.length; at++) {
      const event = this.#events[at]!;
      if (event.key.startsWith(prefix)) yield event;
    }
  }

  #firstAfter(revision: number): number {
    let low = this.#first, high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#events[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #forgetFirst(): void {
    const { key, revision, value } = this.#events[this.#first++]!;
    this.#bytes -= value.byteLength;
    this.#floors.set(resourceOf(key), revision);
  }

  #tidy(): void {
    if (this.#first * 2 <= this.#events.length) return;
    this.#events = this.#events.slice(this.#first);
    this.#first = 0;
  }
}

/** `/registry/<group>/<resource>/` */
export const resourceOf = (key: string): string => key.slice(0, key.indexOf("/", key.indexOf("/", "/registry/".length) + 1) + 1);
