import { expect, test } from "bun:test";
import { semanticEqual } from "./equality.ts";
import { typeOf } from "./schema/schema.ts";

const cases: [name: string, a: unknown, b: unknown, plain: boolean, typed: boolean][] = [
  ["the same", { spec: { containers: [{ name: "a" }] } }, { spec: { containers: [{ name: "a" }] } }, true, true],
  ["lists in another order", { spec: { containers: [{ name: "a" }, { name: "b" }] } }, { spec: { containers: [{ name: "b" }, { name: "a" }] } }, false, false],
  ["absent and empty lists", { spec: { volumes: [] } }, { spec: {} }, true, true],
  ["absent and null", { metadata: { name: null } }, { metadata: {} }, true, true],
  ["absent and empty maps", { metadata: { labels: {} } }, { metadata: {} }, false, true],
  ["absent and zero", { spec: { hostNetwork: false, nodeName: "" } }, { spec: {} }, false, true],
  ["absent and zero behind a pointer", { spec: { priority: 0 } }, { spec: {} }, false, false],
  ["absent and empty structs behind pointers", { spec: { securityContext: {} } }, { spec: {} }, false, false],
  ["quantities", { spec: { overhead: { cpu: "1000m" } } }, { spec: { overhead: { cpu: "1" } } }, false, true],
  ["a label with an empty value and none", { metadata: { labels: { a: "" } } }, { metadata: { labels: {} } }, false, false],
  ["other values", { metadata: { name: "a" } }, { metadata: { name: "b" } }, false, false],
];
for (const [name, a, b, plain, typed] of cases) {
  test(name, () => {
    const pod = typeOf("io.k8s.api.core.v1.Pod");
    expect([semanticEqual(a, b), semanticEqual(b, a)]).toEqual([plain, plain]);
    expect([semanticEqual(a, b, pod), semanticEqual(b, a, pod)]).toEqual([typed, typed]);
  });
}
