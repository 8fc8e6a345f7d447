import type { Clock } from "../base/clock.ts";
import type { Event } from "../apis/generated/core/v1.ts";

/** What to write for an Event: a new one, or the next count of the one called `previousName`. */
export interface Correlated {
  event: Event;
  previousName?: string;
}

interface Aggregate {
  messages: Set<string>;
  last: number;
}

interface Known {
  name: string;
  count: number;
  firstTimestamp: string;
}

interface Bucket {
  tokens: number;
  at: number;
}

// The numbers of client-go tools/record/events_cache.go.
const cacheSize = 4096;
const aggregateAfter = 10;
const aggregateWindow = 10 * 60_000;
const burst = 25;
const refillPerMs = 1 / 300_000;

/**
 * Decides which Events are repeats, as client-go does: a token bucket per source and object drops spam; more than ten Events in ten minutes
 * that differ by their message alone become one "(combined from similar events)"; equal ones raise the count of the first.
 */
export class EventCorrelator {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();
  readonly #aggregates = new Map<string, Aggregate>();
  readonly #known = new Map<string, Known>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Undefined when the Event is to be dropped as spam. */
  correlate(original: Event): Correlated | undefined {
    const event = this.#aggregate(original);
    if (!this.#spend(sourceKey(event))) return undefined;
    const known = touch(this.#known, eventKey(event));
    if (!known) return { event };
    return { event: { ...event, count: known.count + 1, firstTimestamp: known.firstTimestamp }, previousName: known.name };
  }

  /** Remembers that the server has the Event under this name. */
  recorded(event: Event, name: string): void {
    put(this.#known, eventKey(event), { name, count: event.count ?? 1, firstTimestamp: event.firstTimestamp! });
  }

  #aggregate(event: Event): Event {
    const key = aggregateKey(event);
    const now = this.#clock.monotonic();
    let aggregate = touch(this.#aggregates, key);
    if (!aggregate || now - aggregate.last > aggregateWindow) aggregate = { messages: new Set(), last: now };
    aggregate.last = now;
    aggregate.messages.add(event.message ?? "");
    put(this.#aggregates, key, aggregate);
    if (aggregate.messages.size < aggregateAfter) return event;
    const oldest = aggregate.messages.values().next().value!;
    if (aggregate.messages.size > aggregateAfter) aggregate.messages.delete(oldest);
    return { ...event, message: `(combined from similar events): ${event.message}` };
  }

  #spend(key: string): boolean {
    const now = this.#clock.monotonic();
    const bucket = touch(this.#buckets, key) ?? { tokens: burst, at: now };
    bucket.tokens = Math.min(burst, bucket.tokens + (now - bucket.at) * refillPerMs);
    bucket.at = now;
    put(this.#buckets, key, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}

const about = ({ involvedObject: o }: Event): string => `${o.kind}\0${o.namespace ?? ""}\0${o.name}\0${o.uid ?? ""}\0${o.apiVersion ?? ""}\0${o.fieldPath ?? ""}`;
const sourceKey = (event: Event): string => `${event.source?.component ?? ""}\0${event.source?.host ?? ""}\0${about(event)}`;
const aggregateKey = (event: Event): string => `${sourceKey(event)}\0${event.type}\0${event.reason}`;
const combined = "(combined from similar events)";
/** All combined Events of one aggregate are one Event, whose message is the newest. */
const eventKey = (event: Event): string => `${aggregateKey(event)}\0${event.message?.startsWith(combined) ? combined : event.message}`;

/** Reads an entry and makes it the one used last. */
function touch<V>(map: Map<string, V>, key: string): V | undefined {
  const value = map.get(key);
  if (value !== undefined) {
    map.delete(key);
    map.set(key, value);
  }
  return value;
}

function put<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > cacheSize) map.delete(map.keys().next().value!);
}
