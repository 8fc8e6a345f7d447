import { describe, expect, test } from "bun:test";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { planPod, surplusTerminated } from "./plan.ts";

const now = 1_000_000;
const pod = (nodeName?: string, deletionTimestamp?: string): Pod => ({ metadata: { deletionTimestamp }, spec: { nodeName, containers: [] } });

describe("a pod", () => {
  for (const [name, it, goneSince, expected] of [
    ["that waits for a node stays", pod(), undefined, { action: "keep" }],
    ["deleted before it had a node goes", pod(undefined, "2026-01-01T00:00:00Z"), undefined, { action: "delete", reason: "unscheduled" }],
    ["on a node stays", pod("n", "2026-01-01T00:00:00Z"), undefined, { action: "keep" }],
    ["whose node has just gone waits", pod("n"), now - 10_000, { action: "wait", for: 30_000 }],
    ["whose node stays away goes", pod("n"), now - 40_000, { action: "delete", reason: "orphaned" }],
  ] as const) test(name, () => expect(planPod(it, goneSince, now)).toEqual(expected as never));
});

test("of too many finished pods the oldest go", () => {
  const finished = [3, 1, 2].map((n): Pod => ({ ...pod("n"), metadata: { name: `p${n}`, creationTimestamp: `2026-01-01T00:00:0${n}Z` } }));
  expect(surplusTerminated(finished, 1).map((p) => p.metadata.name!)).toEqual(["p1", "p2"]);
  expect(surplusTerminated(finished, 3)).toEqual([]);
  expect(surplusTerminated(finished, 0)).toEqual([]);
});
