import { describe, expect, test } from "bun:test";
import type { HorizontalPodAutoscalerBehavior, HPAScalingPolicy, HPAScalingRules } from "../../apis/generated/autoscaling/v2.ts";
import { normalize, remember, type History } from "./behavior.ts";

const now = 1_000_000;
const past = (...list: [replicas: number, secondsAgo: number][]): History => ({ recommendations: list.map(([replicas, ago]) => ({ replicas, at: now - ago * 1000 })), ups: [], downs: [] });
const changes = (...list: [by: number, secondsAgo: number][]): History["ups"] => list.map(([by, ago]) => ({ by, at: now - ago * 1000 }));
const policy = (type: "Pods" | "Percent", value: number, periodSeconds = 60): HPAScalingPolicy => ({ type, value, periodSeconds });
/** As defaults complete a behaviour that says these things. */
const behavior = (up: HPAScalingRules = {}, down: HPAScalingRules = {}): HorizontalPodAutoscalerBehavior => ({
  scaleUp: { stabilizationWindowSeconds: 0, selectPolicy: "Max", policies: [policy("Pods", 4, 15), policy("Percent", 100, 15)], ...up },
  scaleDown: { selectPolicy: "Max", policies: [policy("Percent", 100, 15)], ...down },
});

describe("without a behaviour", () => {
  const table: [name: string, current: number, desired: number, history: History, replicas: number, stabilized: string | undefined, limited: string][] = [
    ["a wish within the limits is granted", 4, 6, past(), 6, undefined, "DesiredWithinRange"],
    ["replicas double at most", 4, 20, past(), 8, undefined, "ScaleUpLimit!"],
    ["four are always allowed", 1, 9, past(), 4, undefined, "ScaleUpLimit!"],
    ["the maximum holds", 8, 20, past(), 10, undefined, "TooManyReplicas!"],
    ["the minimum holds", 4, 1, past(), 2, undefined, "TooFewReplicas!"],
    ["the most of five minutes holds against less", 8, 3, past([6, 299], [9, 301]), 6, "ScaleDownStabilized", "DesiredWithinRange"],
    ["what is longer ago holds nothing", 8, 3, past([8, 301]), 3, undefined, "DesiredWithinRange"],
    ["the past asks for more than is there", 4, 4, past([6, 10]), 6, "ScaleDownStabilized", "DesiredWithinRange"],
  ];
  test.each(table)("%s", (_, current, desired, history, replicas, stabilized, limited) => {
    const normalized = normalize(undefined, { current, desired, min: 2, max: 10 }, history, now);
    expect([normalized.replicas, normalized.stabilized?.reason, normalized.limited.reason + (normalized.limited.holds ? "!" : "")]).toEqual([replicas, stabilized, limited]);
    expect(normalized.recommendations.at(-1)).toEqual({ replicas: desired, at: now });
  });
});

describe("with a behaviour", () => {
  const table: [name: string, rules: HorizontalPodAutoscalerBehavior, current: number, desired: number, history: Partial<History>, replicas: number, stabilized: string | undefined, limited: string][] = [
    ["defaults add four or double", behavior(), 3, 50, {}, 7, undefined, "ScaleUpLimit!"],
    ["defaults count what was added in the period", behavior(), 7, 50, { ups: changes([4, 10]) }, 7, undefined, "ScaleUpLimit!"],
    ["defaults go on in the next period", behavior(), 7, 50, { ups: changes([4, 16]) }, 14, undefined, "ScaleUpLimit!"],
    ["defaults let all go after five minutes", behavior(), 50, 1, {}, 1, undefined, "DesiredWithinRange"],
    ["five minutes hold against less", behavior(), 50, 1, past([40, 290]), 40, "ScaleDownStabilized", "DesiredWithinRange"],
    ["the least of a window holds against more", behavior({ stabilizationWindowSeconds: 60 }), 3, 8, past([5, 30], [4, 90]), 5, "ScaleUpStabilized", "DesiredWithinRange"],
    ["a window lets what is there be", behavior({ stabilizationWindowSeconds: 60 }), 6, 8, past([5, 30]), 6, "ScaleUpStabilized", "DesiredWithinRange"],
    ["pods a period", behavior({ policies: [policy("Pods", 2)] }), 3, 50, {}, 5, undefined, "ScaleUpLimit!"],
    ["a share a period, rounded up", behavior({ policies: [policy("Percent", 10)] }), 3, 50, {}, 4, undefined, "ScaleUpLimit!"],
    ["the least of policies", behavior({ selectPolicy: "Min", policies: [policy("Pods", 2), policy("Percent", 300)] }), 3, 50, {}, 5, undefined, "ScaleUpLimit!"],
    ["the most of policies", behavior({ policies: [policy("Pods", 2), policy("Percent", 300)] }), 3, 50, {}, 12, undefined, "ScaleUpLimit!"],
    ["what was taken away in the period may come back", behavior({ policies: [policy("Pods", 2)] }), 3, 50, { downs: changes([4, 20]) }, 9, undefined, "ScaleUpLimit!"],
    ["no growth", behavior({ selectPolicy: "Disabled" }), 3, 50, {}, 3, undefined, "ScaleUpLimit!"],
    ["no shrinkage", behavior({}, { selectPolicy: "Disabled" }), 9, 1, {}, 9, undefined, "ScaleDownLimit!"],
    ["pods less a period", behavior({}, { policies: [policy("Pods", 2)] }), 9, 1, {}, 7, undefined, "ScaleDownLimit!"],
    ["pods less, of which some have gone", behavior({}, { policies: [policy("Pods", 2)] }), 9, 1, { downs: changes([1, 30]) }, 8, undefined, "ScaleDownLimit!"],
    ["a share less, rounded down", behavior({}, { policies: [policy("Percent", 10)] }), 9, 1, {}, 8, undefined, "ScaleDownLimit!"],
    ["the least of policies downwards", behavior({}, { selectPolicy: "Min", policies: [policy("Pods", 1), policy("Percent", 50)] }), 8, 1, {}, 7, undefined, "ScaleDownLimit!"],
    ["the most of policies downwards", behavior({}, { policies: [policy("Pods", 1), policy("Percent", 50)] }), 8, 1, {}, 4, undefined, "ScaleDownLimit!"],
    ["the maximum", behavior(), 60, 130, {}, 100, undefined, "TooManyReplicas!"],
    ["the minimum", behavior(), 60, 0, {}, 1, undefined, "TooFewReplicas!"],
  ];
  test.each(table)("%s", (_, rules, current, desired, history, replicas, stabilized, limited) => {
    const normalized = normalize(rules, { current, desired, min: 1, max: 100 }, { ...past(), ...history }, now);
    expect([normalized.replicas, normalized.stabilized?.reason, normalized.limited.reason + (normalized.limited.holds ? "!" : "")]).toEqual([replicas, stabilized, limited]);
  });
});

test("the past is kept as long as something looks back to it", () => {
  const rules = behavior({ policies: [policy("Pods", 1, 30)] });
  const history = remember({ ...past(), ups: changes([2, 20], [3, 40]), downs: changes([1, 5]) }, rules, 4, now);
  expect(history).toEqual({ recommendations: [], ups: changes([2, 20], [4, 0]), downs: changes([1, 5]) });
  expect(remember(history, rules, -2, now).downs).toEqual(changes([1, 5], [2, 0]));
  expect(remember(history, undefined, 1, now)).toBe(history);
  expect(normalize(undefined, { current: 1, desired: 1, min: 1, max: 2 }, past([1, 400], [1, 200]), now).recommendations).toHaveLength(2);
});
