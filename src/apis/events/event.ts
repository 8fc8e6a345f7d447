import { semanticEqual } from "../../apimachinery/equality.ts";
import { invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { defineResource, type Column } from "../../apimachinery/resource.ts";
import { validateImmutableField } from "../../apimachinery/validation/object-meta.ts";
import { events as coreEvents } from "../core/event.ts";
import type { Event as CoreEvent } from "../generated/core/v1.ts";
import type { Event } from "../generated/events/v1.ts";
export type { Event } from "../generated/events/v1.ts";

/** Events by the names that newer clients have for their fields. They are stored as those of the core group. */
export const regardingEvents = defineResource<Event>({
  group: "events.k8s.io", version: "v1", kind: "Event", resource: "events", scope: "Namespaced", shortNames: ["ev"],
  schema: "io.k8s.api.events.v1.Event",
  default(event) {
    event.regarding ??= {};
    event.deprecatedSource ??= {};
    event.eventTime ??= null;
    event.deprecatedFirstTimestamp ??= null;
    event.deprecatedLastTimestamp ??= null;
  },
  strategy: { validate, validateUpdate, allowCreateOnUpdate: true, isVolatile: () => true },
  fieldSelectors: {
    "regarding.kind": ({ regarding }) => regarding?.kind ?? "",
    "regarding.namespace": ({ regarding }) => regarding?.namespace ?? "",
    "regarding.name": ({ regarding }) => regarding?.name ?? "",
    "regarding.uid": ({ regarding }) => regarding?.uid ?? "",
    "regarding.apiVersion": ({ regarding }) => regarding?.apiVersion ?? "",
    "regarding.resourceVersion": ({ regarding }) => regarding?.resourceVersion ?? "",
    "regarding.fieldPath": ({ regarding }) => regarding?.fieldPath ?? "",
    reason: ({ reason }) => reason ?? "",
    reportingController: ({ reportingController }) => reportingController ?? "",
    type: ({ type }) => type ?? "",
  },
  columns: coreEvents.columns.map((column): Column<Event> => ({ ...column, value: (event, now) => column.value(toCore(event as Event), now) })),
  invalidAs: { group: "", kind: "Event" },
  stored: {
    group: "", resource: "events",
    read: (objects) => objects.map((object) => fromCoreOnce(object as Frozen<CoreEvent>)),
    write: (event) => toCore(event),
  },
  example: () => ({
    apiVersion: "events.k8s.io/v1", kind: "Event", metadata: { name: "example", namespace: "default" }, eventTime: "2026-01-01T00:00:00.000000Z", type: "Normal", reason: "Example", action: "Exemplify",
    reportingController: "example.com/controller", reportingInstance: "example", regarding: { kind: "Pod", namespace: "default", name: "example" },
  }),
});

function toCore({ regarding, note, reportingController, deprecatedSource, deprecatedFirstTimestamp, deprecatedLastTimestamp, deprecatedCount, reportingInstance, ...shared }: Event): CoreEvent {
  return {
    ...shared, apiVersion: "v1", kind: "Event",
    involvedObject: regarding ?? {}, source: deprecatedSource ?? {}, firstTimestamp: deprecatedFirstTimestamp ?? null, lastTimestamp: deprecatedLastTimestamp ?? null,
    ...(note === undefined ? {} : { message: note }), ...(deprecatedCount === undefined ? {} : { count: deprecatedCount }),
    reportingComponent: reportingController ?? "", reportingInstance: reportingInstance ?? "",
  };
}

function fromCore({ involvedObject, source, firstTimestamp, lastTimestamp, message, count, reportingComponent, reportingInstance, eventTime, ...shared }: Frozen<CoreEvent>): Frozen<Event> {
  return {
    ...shared, apiVersion: "events.k8s.io/v1", kind: "Event", eventTime: eventTime ?? null,
    regarding: involvedObject ?? {}, deprecatedSource: source ?? {}, deprecatedFirstTimestamp: firstTimestamp ?? null, deprecatedLastTimestamp: lastTimestamp ?? null,
    ...(message ? { note: message } : {}), ...(count ? { deprecatedCount: count } : {}),
    ...(reportingComponent ? { reportingController: reportingComponent } : {}), ...(reportingInstance ? { reportingInstance } : {}),
  } as Frozen<Event>;
}

/** One object per stored object: encoders cache by identity. */
const known = new WeakMap<object, Frozen<Event>>();

function fromCoreOnce(event: Frozen<CoreEvent>): Frozen<Event> {
  let made = known.get(event);
  if (!made) known.set(event, made = fromCore(event));
  return made;
}

/** Said of the fields by their older names, as Kubernetes says it. */
function validate(event: Frozen<Event>): FieldError[] {
  const { series, eventTime, type, deprecatedFirstTimestamp: first, deprecatedLastTimestamp: last, deprecatedCount: count, deprecatedSource: source } = event;
  const unset = (field: string, value: unknown): FieldError[] => (value ? [invalidValue(field, "", "needs to be unset")] : []);
  return [
    ...validateAsCore(event),
    ...validateSeries(series),
    ...(eventTime ? [] : [required("eventTime")]),
    ...(type === "Normal" || type === "Warning" ? [] : [invalidValue("type", "", `has invalid value: ${type ?? ""}`)]),
    ...unset("firstTimestamp", first), ...unset("lastTimestamp", last), ...unset("count", count), ...unset("source", source?.component || source?.host),
  ];
}

const validateAsCore = (event: Frozen<Event>): FieldError[] =>
  coreEvents.strategy.validate!(toCore(event as Event)).map((error) => (error.field === "reportingComponent" ? { ...error, field: "reportingController" } : error));

function validateSeries(series: Frozen<Event["series"]>): FieldError[] {
  if (!series) return [];
  return [...((series.count ?? 0) < 2 ? [invalidValue("series.count", "", "should be at least 2")] : []), ...(series.lastObservedTime ? [] : [required("series.lastObservedTime")])];
}

/** Of an event only its series goes on. */
function validateUpdate(event: Frozen<Event>, old: Frozen<Event>): FieldError[] {
  const fixed: readonly [field: string, of: (one: Frozen<Event>) => unknown][] = [
    ["involvedObject", ({ regarding }) => regarding], ["reason", ({ reason }) => reason], ["message", ({ note }) => note], ["source", ({ deprecatedSource }) => deprecatedSource],
    ["firstTimestamp", ({ deprecatedFirstTimestamp }) => deprecatedFirstTimestamp], ["lastTimestamp", ({ deprecatedLastTimestamp }) => deprecatedLastTimestamp], ["count", ({ deprecatedCount }) => deprecatedCount],
    ["reason", ({ reason }) => reason], ["type", ({ type }) => type], ["eventTime", ({ eventTime }) => eventTime], ["action", ({ action }) => action], ["related", ({ related }) => related],
    ["reportingController", ({ reportingController }) => reportingController], ["reportingInstance", ({ reportingInstance }) => reportingInstance],
  ];
  return [
    ...validateAsCore(event),
    ...(semanticEqual(event.series, old.series) ? [] : validateSeries(event.series)),
    ...fixed.flatMap(([field, of]) => validateImmutableField(of(event) ?? "", of(old) ?? "", field)),
  ];
}
