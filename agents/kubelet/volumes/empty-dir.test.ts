import { expect, test } from "bun:test";
import type { Pod } from "../pod/pod.ts";
import { memoryBytes, pageSizeOf } from "./empty-dir.ts";

const gib = 2 ** 30;
const pod = (...limits: (string | undefined)[]): Pod => ({ metadata: { name: "p" }, spec: { containers: limits.map((memory, index) => ({ name: `c${index}`, image: "i", resources: memory ? { limits: { memory } } : {} })) } }) as Pod;

test.each<[string, Pod, string | undefined, number]>([
  ["what all pods may use", pod(undefined), undefined, 4 * gib],
  ["what the pod may use", pod("1Gi", "1Gi"), undefined, 2 * gib],
  ["no pod's limit while a container has none", pod("1Gi", undefined), undefined, 4 * gib],
  ["its own limit", pod("1Gi"), "512Mi", gib / 2],
  ["not more than the pod's, whatever its own is", pod("1Gi"), "3Gi", gib],
  ["a limit of nothing is none", pod("1Gi"), "0", gib],
])("a volume in memory holds %s", (_, given, sizeLimit, bytes) => {
  expect(memoryBytes(given, sizeLimit, { memory: "4Gi" })).toBe(bytes);
});

const huge = (...names: string[]): Pod => ({ metadata: { name: "p" }, spec: { containers: names.map((name) => ({ name, image: "i", resources: { requests: { [name]: "4Mi" }, limits: { [name]: "4Mi" } } })) } }) as Pod;

test("huge pages are those that the medium names, or the only ones that the pod asks for", () => {
  expect(pageSizeOf(huge("hugepages-2Mi"), "HugePages")).toBe("2Mi");
  expect(pageSizeOf(huge("hugepages-2Mi", "hugepages-1Gi"), "HugePages-1Gi")).toBe("1Gi");
  expect(() => pageSizeOf(huge("hugepages-2Mi", "hugepages-1Gi"), "HugePages")).toThrow("multiple huge page sizes");
  for (const medium of ["HugePages", "HugePages-2Mi"]) expect(() => pageSizeOf(huge("cpu"), medium)).toThrow("there is no resource request for huge pages");
});
