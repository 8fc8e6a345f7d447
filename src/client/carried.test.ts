import { expect, test } from "bun:test";
import { encodeLeanEvent, type LeanEvent } from "../apimachinery/lean/lean.ts";
import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import { notFound } from "../apimachinery/status.ts";
import { configmaps } from "../apis/builtins.ts";
import type { ConfigMap } from "../apis/generated/core/v1.ts";
import { watchBy } from "./carried.ts";
import type { WatchEvent } from "./client.ts";

const at = (version: number, data: Record<string, string>): ConfigMap => ({ metadata: { name: "a", namespace: "ns", resourceVersion: String(version) }, data });

/** What a watcher that has `known` hears of `events`; `now` is what the server has. */
async function told(events: LeanEvent[], { known, now }: { known?: ConfigMap; now?: ConfigMap }): Promise<{ heard: WatchEvent<ConfigMap>[]; reads: number }> {
  const heard: WatchEvent<ConfigMap>[] = [];
  let reads = 0;
  let held: Frozen<KubeObject> | undefined = known;
  const carrier = async () => ({ status: 200, headers: {}, body: (async function* () {
    yield Buffer.concat(events.map(encodeLeanEvent));
  })() });
  const watch = watchBy<ConfigMap>(carrier, { method: "GET", url: "/", userAgent: "test", signal: new AbortController().signal }, {
    card: configmaps, known: () => held, onBegun() {},
    get: async () => {
      reads++;
      if (!now) throw notFound(configmaps, "a");
      return now;
    },
  });
  for await (const event of watch) {
    heard.push(event);
    if (event.type !== "BOOKMARK") held = event.type === "DELETED" ? undefined : event.object as Frozen<KubeObject>;
  }
  return { heard, reads };
}

const change = (from: number, to: number, value: string): LeanEvent => ({ type: "CHANGED", key: "ns/a", from, to, change: { data: { x: [value] } } });

test("changes are applied to what is known, one after the other", async () => {
  const { heard, reads } = await told([change(5, 6, "six"), change(6, 9, "nine"), { type: "DELETED", key: "ns/a", to: 10 }], { known: at(5, { x: "five", y: "kept" }) });
  expect(heard).toEqual([
    { type: "MODIFIED", object: at(6, { x: "six", y: "kept" }) }, { type: "MODIFIED", object: at(9, { x: "nine", y: "kept" }) }, { type: "DELETED", object: at(10, { x: "nine", y: "kept" }) },
  ]);
  expect(reads).toBe(0);
});

test("who managed fields before is not claimed of what came after", async () => {
  const known = at(5, { x: "five" });
  known.metadata!.managedFields = [{ manager: "m" }];
  expect((await told([change(5, 6, "six")], { known })).heard).toEqual([{ type: "MODIFIED", object: at(6, { x: "six" }) }]);
});

test("a version in between, of which only what isn't told had changed, will do", async () => {
  expect((await told([change(3, 8, "eight")], { known: at(5, { x: "five" }) })).heard).toEqual([{ type: "MODIFIED", object: at(8, { x: "eight" }) }]);
});

test("what is known already is not told again", async () => {
  expect((await told([change(3, 5, "five"), { type: "REACHED", to: 7 }], { known: at(5, { x: "five" }) })).heard).toEqual([{ type: "BOOKMARK", object: { metadata: { resourceVersion: "7" } } as never }]);
});

test.each([["older", at(2, { x: "two" })], ["nothing", undefined]])("who has %s reads the object whole", async (_, known) => {
  const { heard, reads } = await told([change(5, 6, "six"), change(6, 7, "seven"), change(7, 8, "eight")], { ...(known ? { known } : {}), now: at(7, { x: "seven" }) });
  expect(heard.map(({ object }) => [object.metadata!.resourceVersion, (object as ConfigMap).data])).toEqual([["7", { x: "seven" }], ["8", { x: "eight" }]]);
  expect(reads).toBe(1);
});

test.each([
  ["of an array that isn't there", { immutable: [1, 0, ["x"]] }],
  ["of members that aren't there", { binaryData: { x: { y: ["z"] } } }],
] as const)("a change %s does not end the watch: the object is read whole", async (_, unfit) => {
  const { heard, reads } = await told([{ type: "CHANGED", key: "ns/a", from: 5, to: 6, change: structuredClone(unfit) as never }, change(6, 7, "seven")], { known: at(5, { x: "five" }), now: at(6, { x: "six" }) });
  expect(heard.map(({ object }) => (object as ConfigMap).data)).toEqual([{ x: "six" }, { x: "seven" }]);
  expect(reads).toBe(1);
});

test("what is gone by then is not told; nor is it that what was never known has gone", async () => {
  expect(await told([change(5, 6, "six"), { type: "DELETED", key: "ns/a", to: 7 }], {})).toEqual({ heard: [], reads: 1 });
});

test("an error is thrown as the Status that it is", async () => {
  await expect(told([{ type: "ERROR", object: { kind: "Status", code: 410, message: "too old", reason: "Expired" } }], {})).rejects.toMatchObject({ code: 410, message: "too old" });
});
