import { describe, expect, test } from "bun:test";
import { nodes, pods } from "../../../apis/builtins.ts";
import type { Node, Pod, PodSpec, Toleration } from "../../../apis/generated/core/v1.ts";
import type { PriorityClass } from "../../../apis/generated/scheduling/v1.ts";
import { attributesOf, listersOf, run } from "../../testing/admission.ts";
import { defaultTolerationSeconds } from "./default-toleration-seconds.ts";
import { priority } from "./priority.ts";
import { taintNodesByCondition } from "./taint-nodes-by-condition.ts";

const podWith = (spec: Partial<PodSpec>): Pod => ({ metadata: { name: "p", namespace: "ns" }, spec: { containers: [], ...spec } });

describe("DefaultTolerationSeconds", () => {
  const notReady: Toleration = { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 };
  const unreachable: Toleration = { ...notReady, key: "node.kubernetes.io/unreachable" };
  const own: Toleration = { ...notReady, tolerationSeconds: 5 };
  const all: Toleration = { operator: "Exists" };
  const other: Toleration = { ...notReady, effect: "NoSchedule", tolerationSeconds: undefined };

  test.each<[string, Toleration[] | undefined, Toleration[]]>([
    ["none", undefined, [notReady, unreachable]],
    ["its own for one", [own], [own, unreachable]],
    ["everything", [all], [all]],
    ["another effect", [other], [other, notReady, unreachable]],
  ])("with %s", async (_, tolerations, expected) => {
    const pod = podWith({ tolerations });
    expect(await run(defaultTolerationSeconds, attributesOf(pods, { object: pod }))).toBe("");
    expect(pod.spec.tolerations).toEqual(expected);
  });
});

describe("Priority", () => {
  const high: PriorityClass = { metadata: { name: "high" }, value: 1000, preemptionPolicy: "Never" };
  const standard: PriorityClass = { metadata: { name: "standard" }, value: 7, globalDefault: true };
  const without = priority({ listers: listersOf({}) });
  const withClasses = priority({ listers: listersOf({ priorityclasses: [high, standard] }) });

  test.each([
    ["nothing", without, {}, { priority: 0, preemptionPolicy: "PreemptLowerPriority" }],
    ["a default class", withClasses, {}, { priority: 7, priorityClassName: "standard" }],
    ["a class", withClasses, { priorityClassName: "high" }, { priority: 1000, preemptionPolicy: "Never" }],
    ["a system class", without, { priorityClassName: "system-node-critical" }, { priority: 2_000_001_000 }],
    ["the right number", withClasses, { priorityClassName: "high", priority: 1000 }, { priority: 1000 }],
  ] as const)("from %s", async (_, plugin, spec, expected) => {
    const pod = podWith(spec);
    expect(await run(plugin, attributesOf(pods, { object: pod }))).toBe("");
    expect(pod.spec).toMatchObject(expected);
  });

  test("refuses an unknown class, and a number of the client's own", async () => {
    expect(await run(without, attributesOf(pods, { object: podWith({ priorityClassName: "high" }) }))).toBe('403 pods "p" is forbidden: no PriorityClass with name high was found');
    expect(await run(without, attributesOf(pods, { object: podWith({ priority: 5 }) }))).toStartWith('403 pods "p" is forbidden: the integer value of priority (5) must not be provided in pod spec');
  });

  test("an update keeps what was decided", async () => {
    const pod = podWith({});
    await run(without, attributesOf(pods, { operation: "UPDATE", object: pod, oldObject: podWith({ priority: 9, preemptionPolicy: "Never" }) as never }));
    expect(pod.spec).toMatchObject({ priority: 9, preemptionPolicy: "Never" });
  });
});

test("TaintNodesByCondition taints new nodes, once", async () => {
  const taint = { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" as const };
  for (const taints of [undefined, [taint]]) {
    const node: Node = { metadata: { name: "n" }, spec: { taints } };
    expect(await run(taintNodesByCondition, attributesOf(nodes, { object: node }))).toBe("");
    expect(node.spec.taints).toEqual([taint]);
  }
});
