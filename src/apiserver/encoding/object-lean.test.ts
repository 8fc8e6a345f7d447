import { expect, test } from "bun:test";
import { decodeLean, LeanEventReader, type LeanEvent } from "../../apimachinery/lean/lean.ts";
import type { AnyObject } from "./object-json.ts";
import { changeLean, eventLean, listLean, objectLean } from "./object-lean.ts";

const card = { group: "", version: "v1", kind: "Node" };
const node = (version: number, heartbeat: string, ready: string): AnyObject => ({
  metadata: { name: "n1", resourceVersion: String(version), managedFields: [{ time: heartbeat }] }, status: { conditions: [{ type: "Ready", status: ready, lastHeartbeatTime: heartbeat }] },
}) as unknown as AnyObject;
const read = (bytes: Buffer): LeanEvent[] => [...new LeanEventReader().read(bytes)];

test("a heartbeat is nothing new; the change after it is from the version before", () => {
  const [first, second, third, fourth] = [node(5, "a", "True"), node(6, "b", "True"), node(7, "c", "True"), node(8, "d", "False")];
  expect([changeLean(card, second!, first!), changeLean(card, third!, second!)].map(({ length }) => length)).toEqual([0, 0]);
  expect(read(changeLean(card, fourth!, third!))).toEqual([{ type: "CHANGED", key: "n1", from: 5, to: 8, change: { status: { conditions: { 0: { status: ["False"] } } } } }]);
});

test("objects know their kind, items of lists don't need to, and neither tells who manages its fields", () => {
  expect(decodeLean(objectLean(card, node(5, "a", "True")))).toEqual({ kind: "Node", apiVersion: "v1", metadata: { name: "n1", resourceVersion: "5" }, status: { conditions: [{ type: "Ready", status: "True" }] } });
  expect(decodeLean(listLean(card, [node(5, "a", "True")], { resourceVersion: "9" }))).toEqual({
    kind: "NodeList", apiVersion: "v1", metadata: { resourceVersion: "9" }, items: [{ metadata: { name: "n1", resourceVersion: "5" }, status: { conditions: [{ type: "Ready", status: "True" }] } }],
  });
});

test("bookmarks and deletions are versions", () => {
  const bookmark = { kind: "Node", metadata: { resourceVersion: "12" } } as unknown as AnyObject;
  expect(read(Buffer.concat([eventLean("BOOKMARK", card, bookmark), eventLean("DELETED", card, node(13, "a", "True"))]))).toEqual([{ type: "REACHED", to: 12 }, { type: "DELETED", key: "n1", to: 13 }]);
  const annotated = { metadata: { resourceVersion: "12", annotations: { "k8s.io/initial-events-end": "true" } } } as unknown as AnyObject;
  expect(read(eventLean("BOOKMARK", card, annotated))).toMatchObject([{ type: "BOOKMARK", object: annotated as never }]);
});
