import type { Clock } from "../base/clock.ts";
import { logger } from "../base/log.ts";
import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { ResourceCard } from "../apimachinery/resource.ts";
import { isNamespaceTerminating, isNotFound, StatusError } from "../apimachinery/status.ts";
import type { Event, ObjectReference } from "../apis/generated/core/v1.ts";
import type { Client } from "./client.ts";
import { EventCorrelator, type Correlated } from "./event-correlator.ts";
import { isServerAway } from "./outage.ts";

export type EventType = "Normal" | "Warning";

/** Tells users what happened to an object (core/v1 Events). Never blocks and never throws; Events may be merged or lost under load. */
export interface EventRecorder {
  /** `about` is the object, or a reference to it (a container of a pod, a node that is not in the API yet). */
  event(about: Frozen<KubeObject> | Frozen<ObjectReference>, type: EventType, reason: string, message: string): void;
}

export interface RecorderOptions {
  client: Client;
  /** The card of core/v1 Event. */
  events: ResourceCard<Event>;
  /** Such as `deployment-controller` or `kubelet`. */
  component: string;
  /** The node, where there is one. */
  host?: string;
  clock: Clock;
}

/** Events waiting to be written; beyond that new ones are dropped, as client-go does. */
const queueLimit = 1000;
const attempts = 12;
const retryAfter = 10_000;

/** A recorder that writes in the background, one Event at a time, until `signal` aborts; `idle` resolves when nothing waits. */
export function createEventRecorder(options: RecorderOptions, signal: AbortSignal): EventRecorder & { idle(): Promise<void> } {
  const { clock, component, host } = options;
  const log = logger(component);
  const correlator = new EventCorrelator(clock);
  const queue: Event[] = [];
  let writing: Promise<void> | undefined;

  /** Since the queue was last empty: said once at the start and once at the end. */
  let dropped = 0;

  async function drain(): Promise<void> {
    for (let event = queue.shift(); event && !signal.aborted; event = queue.shift()) {
      const correlated = correlator.correlate(event);
      if (correlated) await write(options, correlator, correlated, signal).catch((error: unknown) => log[isServerAway(error) || isNamespaceTerminating(error) ? "debug" : "warn"]("Event not recorded", { reason: event!.reason, error }));
    }
    writing = undefined;
    if (dropped) log.warn("Events were dropped", { dropped });
    dropped = 0;
  }

  return {
    event(about, type, reason, message) {
      if (signal.aborted) return;
      if (queue.length >= queueLimit) {
        if (dropped++ === 0) log.warn("Events are dropped, too many are waiting", { reason });
        return;
      }
      queue.push(newEvent(referenceTo(about), { type, reason, message, component, host, now: clock.now() }));
      writing ??= Promise.resolve().then(drain);
    },
    async idle() {
      await writing;
    },
  };
}

/** What an Event's involvedObject says of an object. */
export function referenceTo(about: Frozen<KubeObject> | Frozen<ObjectReference>): ObjectReference {
  if (!("metadata" in about)) return { ...about };
  const { namespace, name, uid, resourceVersion } = about.metadata;
  return { kind: about.kind, ...(namespace ? { namespace } : {}), name, uid, apiVersion: about.apiVersion, resourceVersion };
}

function newEvent(about: ObjectReference, { type, reason, message, component, host, now }: { type: EventType; reason: string; message: string; component: string; host?: string; now: number }): Event {
  const time = seconds(now);
  return {
    apiVersion: "v1", kind: "Event",
    // client-go names Events by the object and the time in nanoseconds; a counter keeps them apart within a millisecond.
    metadata: { name: `${about.name}.${uniqueSuffix(now)}`, namespace: about.namespace || "default" },
    involvedObject: about, reason, message, type, count: 1, firstTimestamp: time, lastTimestamp: time, eventTime: null,
    source: { component, ...(host ? { host } : {}) },
    reportingComponent: component, reportingInstance: host ?? "",
  };
}

let sequence = 0;
const uniqueSuffix = (now: number): string => (BigInt(now) * 1_000_000n + BigInt(sequence++ % 1_000_000)).toString(16);

/** RFC 3339 with seconds, as metav1.Time is written. */
const seconds = (now: number): string => new Date(now).toISOString().slice(0, 19) + "Z";

async function write(options: RecorderOptions, correlator: EventCorrelator, correlated: Correlated, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      const written = await createOrPatch(options, correlated);
      correlator.recorded(correlated.event, written.metadata.name!);
      return;
    } catch (error) {
      // The server said no (forbidden, the namespace is going away): trying again would not help.
      if (error instanceof StatusError && error.code < 500 && error.code !== 429) throw error;
      if (attempt >= attempts || signal.aborted) throw error;
      await options.clock.sleep(retryAfter * (attempt === 1 ? Math.random() : 1), signal);
    }
  }
}

async function createOrPatch({ client, events }: RecorderOptions, { event, previousName }: Correlated): Promise<Frozen<Event>> {
  if (previousName) {
    try {
      const { count, lastTimestamp, message } = event;
      return await client.patch(events, { namespace: event.metadata.namespace!, name: previousName }, { type: "application/merge-patch+json", body: { count, lastTimestamp, message } });
    } catch (error) {
      // Events expire; then a repeat is a new one.
      if (!isNotFound(error)) throw error;
    }
  }
  return client.create(events, event);
}
