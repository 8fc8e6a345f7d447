import { expect, test } from "bun:test";
import { events, lastWritten, type Event } from "./event.ts";

const at = (minute: number): string => `2026-01-01T00:${String(minute).padStart(2, "0")}:00Z`;

test.each<[what: string, of: Partial<Event>, minute: number | undefined]>([
  ["its creation", { metadata: { creationTimestamp: at(1) } }, 1],
  ["the last time that it happened", { metadata: { creationTimestamp: at(1) }, lastTimestamp: at(3) }, 3],
  ["the last of a series", { metadata: { creationTimestamp: at(1) }, lastTimestamp: at(2), series: { count: 2, lastObservedTime: at(4) } }, 4],
  ["whoever changed it", { metadata: { creationTimestamp: at(1), managedFields: [{ manager: "a", time: at(2) }, { manager: "b", time: at(5) }, { manager: "c" }] } }, 5],
  ["what happened before it was created doesn't count", { metadata: { creationTimestamp: at(9) }, lastTimestamp: at(1) }, 9],
  ["nothing, or nonsense", { metadata: {}, lastTimestamp: "soon" }, undefined],
])("when an Event was written last: %s", (_, of, minute) => {
  const event = { ...events.example!(), ...of } as Event;
  expect(lastWritten(event)).toBe(minute === undefined ? undefined : Date.parse(at(minute)));
});
