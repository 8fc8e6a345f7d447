import { expect, test } from "bun:test";
import type { NodeStatus } from "../../../src/apis/generated/core/v1.ts";
import { allocatableToFollow } from "./extended-resources.ts";

test.each<[string, NodeStatus | undefined, Record<string, string | null>]>([
  ["no status", undefined, {}],
  ["a node's own resources, reserved in part", { capacity: { cpu: "4", memory: "8Gi", "hugepages-2Mi": "4Mi" }, allocatable: { cpu: "3", memory: "7Gi" } }, {}],
  ["a resource that was given", { capacity: { cpu: "4", "example.com/dongle": "4" }, allocatable: { cpu: "4" } }, { "example.com/dongle": "4" }],
  ["more of it", { capacity: { "example.com/dongle": "5" }, allocatable: { "example.com/dongle": "4" } }, { "example.com/dongle": "5" }],
  ["one that has followed", { capacity: { "example.com/dongle": "5" }, allocatable: { "example.com/dongle": "5" } }, {}],
  ["one that was taken back", { capacity: { cpu: "4" }, allocatable: { cpu: "4", "example.com/dongle": "5" } }, { "example.com/dongle": null }],
])("allocatable follows %s", (_, status, expected) => {
  expect(allocatableToFollow(status)).toEqual(expected);
});
