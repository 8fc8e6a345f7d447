import { expect, test } from "bun:test";
import { amountsOf } from "../../apis/core/quota/amounts.ts";
import type { ResourceQuota } from "../../apis/generated/core/v1.ts";
import { plannedStatus } from "./plan.ts";

const quota = (hard: Record<string, string>, status?: ResourceQuota["status"]): ResourceQuota => ({ metadata: { name: "q", namespace: "ns" }, spec: { hard }, status });

test.each([
  ["a new quota", quota({ pods: "5" }), { pods: "2" }, { hard: { pods: "5" }, used: { pods: "2" } }],
  ["new limits", quota({ pods: "6" }, { hard: { pods: "5" }, used: { pods: "2" } }), { pods: "2" }, { hard: { pods: "6" }, used: { pods: "2" } }],
  ["a limit that went", quota({ pods: "5" }, { hard: { pods: "5", secrets: "1" }, used: { pods: "2", secrets: "1" } }), { pods: "2" }, { hard: { pods: "5" }, used: { pods: "2" } }],
  ["less in use", quota({ pods: "5" }, { hard: { pods: "5" }, used: { pods: "2" } }), { pods: "1" }, { hard: { pods: "5" }, used: { pods: "1" } }],
  ["nothing new", quota({ pods: "5", "requests.cpu": "1" }, { hard: { pods: "5", "requests.cpu": "1000m" }, used: { pods: "2", "requests.cpu": "500m" } }), { pods: "2", "requests.cpu": "0.5" }, undefined],
  ["what can't be measured", quota({ "count/widgets.example.com": "5" }, { hard: { "count/widgets.example.com": "5" }, used: { "count/widgets.example.com": "3" } }), {}, undefined],
] as const)("%s", (_, object, measured, expected) => {
  expect(plannedStatus(structuredClone(object) as never, amountsOf(measured))?.status).toEqual(expected as never);
});
