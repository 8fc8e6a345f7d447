import { expect, test } from "bun:test";
import { usesBetween } from "./rates.ts";
import { parseReading, type Reading } from "./reading.ts";

const text = `# HELP container_cpu_usage_seconds_total x
container_cpu_usage_seconds_total{container="a",namespace="n",pod="p"} 12.5 1700000000000
container_memory_working_set_bytes{container="a",namespace="n",pod="p"} 2048 1700000000000
container_start_time_seconds{container="a",namespace="n",pod="p"} 1699999000.5 1700000000000
container_cpu_usage_seconds_total{container="half",namespace="n",pod="p"} 1 1700000000000
node_cpu_usage_seconds_total 100 1700000000000
node_memory_working_set_bytes 1e+06 1700000000000
resource_scrape_error 0
`;

test("a kubelet's figures", () => {
  expect(parseReading(text, 5)).toEqual({
    at: 1_700_000_000_000, asked: 5, node: { cpuSeconds: 100, memoryBytes: 1_000_000 },
    pods: new Map([["n/p", new Map([["a", { cpuSeconds: 12.5, memoryBytes: 2048, startedAt: 1_699_999_000_500 }]])]]),
  });
  expect(parseReading("resource_scrape_error 1\n", 5)).toBeUndefined();
});

const start = 1_700_000_000_000;
const reading = (seconds: number, nodeCpu: number, containers: Readonly<Record<string, { cpu: number; startedAt?: number }>> = {}, at = start + seconds * 1000): Reading => ({
  at, asked: seconds * 1000, node: { cpuSeconds: nodeCpu, memoryBytes: 10 },
  pods: new Map(Object.keys(containers).length === 0 ? [] : [["n/p", new Map(Object.entries(containers).map(([name, { cpu, startedAt = start - 60_000 }]) => [name, { cpuSeconds: cpu, memoryBytes: 7, startedAt }]))]]),
});

test("use is what was added over the window", () => {
  const use = usesBetween(reading(0, 100, { a: { cpu: 5 } }), reading(10, 120, { a: { cpu: 10 } }))!;
  expect(use).toMatchObject({ at: start + 10_000, windowMs: 10_000, node: { cpuCores: 2, memoryBytes: 10 } });
  expect(use.pods.get("n/p")).toEqual({ windowMs: 10_000, containers: [{ name: "a", cpuCores: 0.5, memoryBytes: 7 }] });
});

test("a container that began within the window is measured from then on, and so is one that began anew", () => {
  const began = start + 6000;
  expect(usesBetween(reading(0, 0), reading(10, 1, { a: { cpu: 2, startedAt: began } }))!.pods.get("n/p")).toEqual({ windowMs: 4000, containers: [{ name: "a", cpuCores: 0.5, memoryBytes: 7 }] });
  expect(usesBetween(reading(0, 0, { a: { cpu: 1 } }), reading(10, 1, { a: { cpu: 2, startedAt: began } }))!.pods.get("n/p")!.containers[0]!.cpuCores).toBe(0.5);
});

test("a pod of which a container is too young is left out", () => {
  expect(usesBetween(reading(0, 0, { a: { cpu: 0 } }), reading(10, 1, { a: { cpu: 1 }, b: { cpu: 1, startedAt: start + 9900 } }))!.pods.size).toBe(0);
});

test.each([
  ["readings too close to each other", reading(0, 1), reading(0.5, 2)],
  ["a node that began anew", reading(0, 100), reading(10, 5)],
])("nothing comes of %s", (_, earlier, later) => expect(usesBetween(earlier, later)).toBeUndefined());

test("a node's clock that is set in between doesn't change the window", () => {
  expect(usesBetween(reading(0, 100), reading(10, 120, {}, start - 3_600_000))).toMatchObject({ windowMs: 10_000, node: { cpuCores: 2 } });
});
