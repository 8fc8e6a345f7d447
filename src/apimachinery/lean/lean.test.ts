import { expect, test } from "bun:test";
import { decodeLean, encodeLean, encodeLeanEvent, leanOf, LeanEventReader, type LeanEvent } from "./lean.ts";

const events: LeanEvent[] = [
  { type: "ADDED", object: { kind: "Pod", metadata: { name: "ä", labels: {} }, spec: { n: 5_000_000_000, f: 1.5, no: null, list: [] } } },
  { type: "CHANGED", key: "default/web", from: 4_294_967_300, to: 4_294_967_301, change: { status: { phase: ["Running"], gone: [] } } },
  { type: "DELETED", key: "n1", to: 9 },
  { type: "REACHED", to: 10 },
  { type: "BOOKMARK", object: { metadata: { resourceVersion: "10", annotations: { a: "b" } } } },
  { type: "ERROR", object: { code: 410 } },
  { type: "MODIFIED", object: { text: "x".repeat(40_000) } },
];

test.each([1, 3, 100, 1 << 20])("events come out as they went in, in pieces of %d bytes", (size) => {
  const bytes = Buffer.concat(events.map(encodeLeanEvent)), reader = new LeanEventReader(), read: LeanEvent[] = [];
  for (let at = 0; at < bytes.length; at += size) read.push(...reader.read(bytes.subarray(at, at + size)));
  expect(read).toEqual(events);
});

test("a word of progress takes few bytes", () => {
  expect(encodeLeanEvent({ type: "REACHED", to: 123_456 }).length).toBeLessThan(10);
});

test.each([[Buffer.from([255, 255, 255, 255, 255, 255, 1])], [Buffer.from([1, 5])], [Buffer.from([2, 0x81, 99])], [Buffer.from([2, 0x81, 0])]])("%j is no event", (bytes) => {
  expect(() => [...new LeanEventReader().read(bytes)]).toThrow(RangeError);
});

test("what agents don't read is left out, and the object stays as it is", () => {
  const node = { kind: "Node", metadata: { name: "n", managedFields: [{ manager: "m" }] }, status: { conditions: [{ type: "Ready", status: "True", lastHeartbeatTime: "t", lastTransitionTime: "u" }], phase: "x", images: [{ names: ["i"] }] } };
  const text = JSON.stringify(node);
  expect(leanOf(node as never, "Node")).toEqual({ kind: "Node", metadata: { name: "n" }, status: { conditions: [{ type: "Ready", status: "True", lastTransitionTime: "u" }], phase: "x" } } as never);
  expect(leanOf({ metadata: { name: "p" }, status: { conditions: [{ lastHeartbeatTime: "t" }] } } as never, "Pod")).toEqual({ metadata: { name: "p" }, status: { conditions: [{ lastHeartbeatTime: "t" }] } } as never);
  expect(JSON.stringify(node)).toBe(text);
});

test("encoded values are copies", () => {
  const one = encodeLean({ a: "one" }), two = encodeLean({ a: "two" });
  expect([decodeLean(one), decodeLean(two)]).toEqual([{ a: "one" }, { a: "two" }]);
});
