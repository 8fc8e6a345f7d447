import { invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { age, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import type { Event } from "../generated/core/v1.ts";
import { labelName } from "./field-rules.ts";
export type { Event } from "../generated/core/v1.ts";

export const events = defineResource<Event>({
  group: "", version: "v1", kind: "Event", resource: "events", scope: "Namespaced", shortNames: ["ev"],
  schema: "io.k8s.api.core.v1.Event",
  default(event) {
    event.involvedObject ??= {};
    event.source ??= {};
    event.firstTimestamp ??= null;
    event.lastTimestamp ??= null;
    event.eventTime ??= null;
    event.reportingComponent ??= "";
    event.reportingInstance ??= "";
  },
  strategy: { validate: validateEvent, validateUpdate: (event) => validateEvent(event), allowCreateOnUpdate: true, isVolatile: () => true },
  fieldSelectors: {
    "involvedObject.kind": (event) => event.involvedObject.kind ?? "",
    "involvedObject.namespace": (event) => event.involvedObject.namespace ?? "",
    "involvedObject.name": (event) => event.involvedObject.name ?? "",
    "involvedObject.uid": (event) => event.involvedObject.uid ?? "",
    "involvedObject.apiVersion": (event) => event.involvedObject.apiVersion ?? "",
    "involvedObject.resourceVersion": (event) => event.involvedObject.resourceVersion ?? "",
    "involvedObject.fieldPath": (event) => event.involvedObject.fieldPath ?? "",
    reason: (event) => event.reason ?? "",
    reportingComponent: (event) => event.reportingComponent ?? "",
    source: (event) => event.source?.component || event.reportingComponent || "",
    type: (event) => event.type ?? "",
  },
  columns: [
    { name: "Last Seen", type: "string", description: "The time at which the most recent occurrence of this event was recorded.", value: lastSeen },
    { name: "Type", type: "string", description: "Type of this event (Normal, Warning), new types could be added in the future", value: (event) => event.type ?? "" },
    { name: "Reason", type: "string", description: "This should be a short, machine understandable string that gives the reason for the transition into the object's current status.", value: (event) => event.reason ?? "" },
    { name: "Object", type: "string", description: "The object that this event is about.", value: objectOf },
    { name: "Subobject", type: "string", priority: 1, description: "If referring to a piece of an object instead of an entire object, this string should contain a valid JSON/Go field access statement, such as desiredState.manifest.containers[2]. For example, if the object reference is to a container within a pod, this would take on a value like: \"spec.containers{name}\" (where \"name\" refers to the name of the container that triggered the event) or if no container name is specified \"spec.containers[2]\" (container with index 2 in this pod). This syntax is chosen only to have some well-defined way of referencing a part of an object.", value: (event) => event.involvedObject.fieldPath ?? "" },
    { name: "Source", type: "string", priority: 1, description: "The component reporting this event. Should be a short machine understandable string.", value: sourceOf },
    { name: "Message", type: "string", description: "A human-readable description of the status of this operation.", value: (event) => (event.message ?? "").trim() },
    { name: "First Seen", type: "string", priority: 1, description: "The time at which the event was first recorded. (Time of server receipt is in TypeMeta.)", value: firstSeen },
    { name: "Count", type: "string", priority: 1, description: "The number of times this event has occurred.", value: (event) => event.series?.count ?? (event.count || 1) },
    { ...nameColumn<Event>(), priority: 1 },
  ],
  example: () => ({
    apiVersion: "v1", kind: "Event", metadata: { name: "example", namespace: "default" },
    involvedObject: { kind: "Pod", namespace: "default", name: "example" }, reportingComponent: "", reportingInstance: "",
  }),
});

function firstSeen(event: Frozen<Event>, now: number): string {
  return age(event.firstTimestamp || event.eventTime, now);
}

function lastSeen(event: Frozen<Event>, now: number): string {
  if (event.series) return age(event.series.lastObservedTime, now);
  return event.lastTimestamp ? age(event.lastTimestamp, now) : firstSeen(event, now);
}

/** When somebody wrote the Event last, as far as it tells, in milliseconds since 1970. */
export function lastWritten({ metadata, lastTimestamp, series }: Frozen<Event>): number | undefined {
  const times = [metadata.creationTimestamp, lastTimestamp, series?.lastObservedTime, ...(metadata.managedFields ?? []).map(({ time }) => time)].map((time) => Date.parse(time ?? "")).filter((time) => !Number.isNaN(time));
  return times.length > 0 ? Math.max(...times) : undefined;
}

function objectOf({ involvedObject: { kind = "", name } }: Frozen<Event>): string {
  return name ? `${kind.toLowerCase()}/${name}` : kind.toLowerCase();
}

function sourceOf(event: Frozen<Event>): string {
  const component = event.source?.component || event.reportingComponent;
  const instance = event.source?.host || event.reportingInstance;
  return instance ? `${component}, ${instance}` : component;
}

/** Events with an eventTime are the newer sort, held to more. */
function validateEvent(event: Frozen<Event>): FieldError[] {
  const namespace = event.metadata.namespace ?? "", about = event.involvedObject.namespace ?? "";
  const mismatch = [invalidValue("involvedObject.namespace", about, "does not match event.namespace")];
  if (!event.eventTime) return (about === "" ? namespace === "" || namespace === "default" : about === namespace) ? [] : mismatch;
  return [
    ...(about === "" && namespace !== "default" && namespace !== "kube-system" ? mismatch : []),
    ...(event.reportingComponent ? [] : [required("reportingComponent")]),
    ...labelName("reportingComponent", event.reportingComponent),
    ...requiredWithin("reportingInstance", event.reportingInstance, 128),
    ...requiredWithin("action", event.action, 128),
    ...requiredWithin("reason", event.reason, 128),
    ...(Buffer.byteLength(event.message ?? "") > 1024 ? [invalidValue("message", "", "can have at most 1024 characters")] : []),
  ];
}

function requiredWithin(field: string, value: string | undefined, max: number): FieldError[] {
  if (!value) return [required(field)];
  return Buffer.byteLength(value) > max ? [invalidValue(field, "", `can have at most ${max} characters`)] : [];
}
