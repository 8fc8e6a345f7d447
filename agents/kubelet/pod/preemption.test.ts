import { expect, test } from "bun:test";
import type { Pod, ResourceRequirements } from "../../../src/apis/generated/core/v1.ts";
import type { Shortage } from "./admission.ts";
import { isCritical, podsToPreempt } from "./preemption.ts";

const system = 2_000_000_000;
function pod(name: string, requests: Record<string, string> = {}, { guaranteed = false, priority = 0 } = {}): Pod {
  const resources: ResourceRequirements = guaranteed ? { requests, limits: requests } : { requests };
  return { metadata: { name, uid: name }, spec: { priority, containers: [{ name: "c", image: "i", resources }] } };
}
const critical = pod("critical", {}, { priority: system });
const cpu = (amount: number): Shortage => ({ resource: "cpu", amount });
const memory = (mebibytes: number): Shortage => ({ resource: "memory", amount: mebibytes * 2 ** 20 });
const onePod: Shortage = { resource: "pods", amount: 1 };
const guaranteed = (name: string, amount: string): Pod => pod(name, { cpu: amount, memory: "64Mi" }, { guaranteed: true });

const cases: [string, readonly Pod[], readonly Shortage[], readonly string[] | undefined][] = [
  ["the one that suffices, not two that would", [pod("a", { cpu: "200m" }), pod("b", { cpu: "300m" }), pod("c", { cpu: "500m" })], [cpu(500)], ["c"]],
  ["of those that suffice the smallest", [pod("a", { cpu: "2" }), pod("b", { cpu: "600m" }), pod("c", { cpu: "1" })], [cpu(500)], ["b"]],
  ["two where one is not enough", [pod("a", { cpu: "200m" }), pod("b", { cpu: "300m" }), pod("c", { cpu: "100m" })], [cpu(500)], ["b", "a"]],
  ["one that helps with both needs", [pod("a", { cpu: "500m" }), pod("b", { memory: "100Mi" }), pod("c", { cpu: "500m", memory: "100Mi" })], [cpu(500), memory(100)], ["c"]],
  ["burstable pods before guaranteed ones", [guaranteed("a", "500m"), pod("b", { cpu: "500m" })], [cpu(500)], ["b"]],
  ["guaranteed ones where they must", [guaranteed("a", "500m"), pod("b", { cpu: "300m" })], [cpu(600)], ["b", "a"]],
  ["none of the burstable where a guaranteed one that must go is enough", [guaranteed("a", "900m"), pod("b", { cpu: "300m" })], [cpu(600)], ["a"]],
  ["one that asks for nothing, for its place", [pod("a", { cpu: "1" }), pod("b")], [onePod], ["b"]],
  ["not those that are critical themselves", [pod("a", { cpu: "1" }, { priority: system }), pod("b", { cpu: "2" })], [cpu(500)], ["b"]],
  ["nobody when all together are not enough", [pod("a", { cpu: "1" }), pod("b", { cpu: "4" }, { priority: system + 1 })], [cpu(1500)], undefined],
];
test.each(cases)("a critical pod drives away %s", (_, pods, shortages, names) => {
  expect(podsToPreempt(critical, pods, shortages)?.map(({ metadata }) => metadata.name!)).toEqual(names as string[]);
});

test("a more critical pod drives away a critical one", () => {
  expect(podsToPreempt(pod("node-critical", {}, { priority: system + 1000 }), [pod("a", { cpu: "1" }, { priority: system })], [cpu(500)])).toHaveLength(1);
});

test("critical are those with a priority of the system's", () => {
  expect([system - 1, system].map((priority) => isCritical(pod("p", {}, { priority })))).toEqual([false, true]);
});
