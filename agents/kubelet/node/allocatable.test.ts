import { expect, test } from "bun:test";
import { parseKubeletArgs } from "../../../src/apis/kubeletconfig/kubelet-settings.ts";
import { nodeResources, type Machine } from "./allocatable.ts";

const machine: Machine = { cpus: 4, memoryBytes: 8 * 2 ** 30, diskBytes: 100 * 2 ** 30, hugePages: { "hugepages-2Mi": 0 }, mostPids: 32_768 };
const resources = (...args: string[]) => nodeResources(machine, parseKubeletArgs(args));

test("a node as it comes keeps free what eviction defends", () => {
  expect(resources()).toEqual({
    capacity: { cpu: "4", pods: "110", "hugepages-2Mi": "0", memory: "8388608Ki", "ephemeral-storage": "104857600Ki" },
    allocatable: { cpu: "4", pods: "110", "hugepages-2Mi": "0", memory: `${8388608 - 102400}Ki`, "ephemeral-storage": String(95 * 2 ** 30) },
    forPods: { cpuShares: 4096, memory: 8 * 2 ** 30, pids: 32_768 },
  });
});

test("reservations and thresholds are taken off what pods may have; eviction's share not off what they are limited to", () => {
  const { capacity, allocatable, forPods } = resources("kube-reserved=cpu=200m,memory=256Mi,pid=1000", "system-reserved=cpu=300m,memory=256Mi,ephemeral-storage=1Gi", "eviction-hard=memory.available<1Gi", "max-pods=30");
  expect(capacity).toMatchObject({ cpu: "4", pods: "30", memory: "8388608Ki" });
  expect(allocatable).toMatchObject({ cpu: "3500m", pods: "30", memory: `${(8192 - 512 - 1024) * 1024}Ki`, "ephemeral-storage": String(99 * 2 ** 30) });
  expect(forPods).toEqual({ cpuShares: 3584, memory: (8192 - 512) * 2 ** 20, pids: 31_768 });
});

test("huge pages aren't there for anything else", () => {
  const { allocatable } = nodeResources({ ...machine, hugePages: { "hugepages-2Mi": 2 ** 30 } }, { evictionHard: [] });
  expect(allocatable).toMatchObject({ "hugepages-2Mi": "1024Mi", memory: `${7 * 2 ** 20}Ki` });
});

test("more reserved than there is, is refused", () => {
  expect(() => resources("kube-reserved=memory=16Gi")).toThrow("invalid Node Allocatable configuration: memory has a reservation of 17179869184 but a capacity of 8589934592");
  expect(() => resources("eviction-hard=disk<5%")).toThrow("unknown eviction signal");
});
