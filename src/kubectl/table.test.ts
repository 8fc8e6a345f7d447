import { expect, test } from "bun:test";
import { aligned as alignedText } from "./describe/description.ts";
import { aligned, columnWidths, tableLines, type Table } from "./table.ts";

const table: Table = {
  columnDefinitions: [{ name: "Name", type: "string", format: "name" }, { name: "Ready", type: "string" }, { name: "Node", type: "string", priority: 1 }],
  rows: [
    { cells: ["web-1", "1/1", "n1"], object: { metadata: { name: "web-1", namespace: "a", labels: { app: "web", "x.y/tier": "t" } } } },
    { cells: ["a-much-longer-name", null, "n2"], object: { metadata: { name: "a-much-longer-name", namespace: "b" } } },
  ],
};

test("columns by priority, the longest cell and three spaces", () => {
  expect(aligned(tableLines(table, {}))).toBe("NAME                 READY\nweb-1                1/1\na-much-longer-name   \n");
  expect(aligned(tableLines(table, { wide: true, headers: false }))).toBe("web-1                1/1   n1\na-much-longer-name         n2\n");
});

test("namespaces, types and labels", () => {
  expect(tableLines(table, { namespace: true, prefix: "pod/", labelColumns: ["x.y/tier"], showLabels: true })).toEqual([
    ["NAMESPACE", "NAME", "READY", "TIER", "LABELS"], ["a", "pod/web-1", "1/1", "t", "app=web,x.y/tier=t"], ["b", "pod/a-much-longer-name", "", "", "<none>"],
  ]);
});

test("a cell is one line", () => expect(tableLines({ columnDefinitions: [{ name: "M", type: "string" }], rows: [{ cells: ["one\ntwo"] }] }, { headers: false })).toEqual([["one..."]]));
test("narrow columns are six wide", () => expect(aligned([["A", "B"]])).toBe("A     B\n"));
test("wide characters count twice", () => expect(aligned([["名前名前", "x"], ["a", "y"]])).toBe("名前名前   x\na          y\n"));
test("known widths stay", () => expect(columnWidths([["a", "bbbb"]], [5, 2])).toEqual([5, 4]));

test("descriptions align neighbours only", () => {
  expect(alignedText(["Name:\tx", "Long name:\ty", "Title:", "  a\tb\tc", "  aaa\tb\tc", "End:\tz"])).toBe("Name:       x\nLong name:  y\nTitle:\n  a    b  c\n  aaa  b  c\nEnd:   z\n");
});
