import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { poddisruptionbudgets, pods, priorityclasses } from "../../src/apis/builtins.ts";
import type { PodSpec } from "../../src/apis/generated/core/v1.ts";
import { eventually } from "../support/eventually.ts";
import { namespace, startSchedulerCluster, type SchedulerCluster } from "../support/scheduler-cluster.ts";

describe("preemption", () => {
  let cluster: SchedulerCluster;

  beforeEach(async () => {
    cluster = await startSchedulerCluster();
    for (const [name, value] of [["low", 1], ["mid", 50], ["high", 100], ["top", 1000]] as const) await cluster.client.create(priorityclasses, { metadata: { name }, value });
  });
  afterEach(() => cluster[Symbol.asyncDispose]());

  const running = async (name: string, priorityClassName: string, spec: Partial<PodSpec> = {}, requests?: Record<string, string>): Promise<string> => {
    await cluster.addPod(name, { priorityClassName, ...spec }, requests);
    return cluster.nodeOf(name);
  };
  /** Waits until the pod is told to go. */
  const evicted = (name: string) => eventually(async () => {
    const pod = await cluster.getPod(name);
    expect(pod.metadata.deletionTimestamp).toBeString();
    return pod;
  });
  const nominated = (name: string, nodeName: string): Promise<void> => eventually(async () => expect((await cluster.getPod(name)).status?.nominatedNodeName).toBe(nodeName));
  const isLeftAlone = async (name: string): Promise<void> => expect((await cluster.getPod(name)).metadata.deletionTimestamp).toBeUndefined();

  test("the less important goes gracefully, and both are told", async () => {
    await cluster.addNode("only");
    await running("low", "low");
    await running("mid", "mid");
    const { metadata: { uid } } = await cluster.addPod("high", { priorityClassName: "high" });
    const victim = await evicted("low");
    expect(victim.status?.conditions?.find(({ type }) => type === "DisruptionTarget")).toMatchObject({
      status: "True", reason: "PreemptionByScheduler", message: "default-scheduler: preempting to accommodate a higher priority pod",
    });
    expect(victim.status?.conditions?.map(({ type }) => type)).toEqual(["PodScheduled", "DisruptionTarget"]);
    expect(victim.metadata.deletionGracePeriodSeconds).toBe(30);
    await eventually(async () => expect(await cluster.eventsOf("low")).toContainEqual(expect.objectContaining({ type: "Normal", reason: "Preempted", message: `Preempted by pod ${uid} on node only` })));
    await nominated("high", "only");
    await cluster.says("high", "0/1 nodes are available: 1 Insufficient cpu.");
    // Another try doesn't make more pods go.
    await cluster.addNode("tainted", { taints: [{ key: "dedicated", effect: "NoSchedule" }] });
    await cluster.says("high", "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s). no new claims to deallocate, preemption: not eligible due to a terminating pod on the nominated node.");
    await isLeftAlone("mid");
    await cluster.removePod("low");
    expect(await cluster.nodeOf("high")).toBe("only");
    expect((await cluster.getPod("high")).status?.nominatedNodeName).toBeUndefined();
    await eventually(() => {
      const text = cluster.metrics().render();
      expect(text).toContain("scheduler_preemption_victims_sum 1\n");
      expect(text).toContain('scheduler_schedule_attempts_total{result="scheduled",profile="default-scheduler"} 3\n');
    });
  });

  test("a pod that preempts nobody waits", async () => {
    await cluster.addNode("only");
    await running("low", "low", {}, { cpu: "2" });
    await cluster.client.create(priorityclasses, { metadata: { name: "polite" }, value: 100, preemptionPolicy: "Never" });
    await cluster.addPod("waiting", { priorityClassName: "polite" });
    await cluster.says("waiting", "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never.");
    await isLeftAlone("low");
  });

  test("a node where no budget breaks is better", async () => {
    for (const name of ["guarded", "free"]) {
      await cluster.addNode(name);
      await cluster.addPod(`on-${name}`, { priorityClassName: "low", nodeName: name }, { cpu: "2" }, { app: name });
    }
    await cluster.client.create(poddisruptionbudgets, { metadata: { name: "guarded", namespace }, spec: { minAvailable: 1, selector: { matchLabels: { app: "guarded" } } } });
    await cluster.addPod("high", { priorityClassName: "high" });
    await evicted("on-free");
    await isLeftAlone("on-guarded");
    // Broken all the same when there is no other way.
    await cluster.addPod("second", { priorityClassName: "high" }, { cpu: "2" });
    await evicted("on-guarded");
  });

  test("a pod of less priority doesn't take the room that is promised, and one of more does", async () => {
    await cluster.addNode("only");
    await running("low", "low", {}, { cpu: "2" });
    await cluster.addPod("high", { priorityClassName: "high" }, { cpu: "2" });
    await evicted("low");
    await nominated("high", "only");
    await cluster.addPod("mid", { priorityClassName: "mid" });
    await cluster.addPod("top", { priorityClassName: "top" }, { cpu: "2" });
    await cluster.removePod("low");
    expect(await cluster.nodeOf("top")).toBe("only");
    await eventually(async () => expect((await cluster.getPod("high")).status?.nominatedNodeName).toBeUndefined());
    expect((await cluster.getPod("mid")).spec.nodeName).toBeUndefined();
  });

  test("a promise to a pod of less priority is taken back when its room goes too", async () => {
    await cluster.addNode("only");
    for (const name of ["low-1", "low-2"]) await running(name, "low");
    await cluster.addPod("mid", { priorityClassName: "mid" });
    await nominated("mid", "only");
    await cluster.addPod("high", { priorityClassName: "high" }, { cpu: "2" });
    for (const name of ["low-1", "low-2"]) await evicted(name);
    await nominated("high", "only");
    await eventually(async () => expect((await cluster.getPod("mid")).status?.nominatedNodeName).toBeUndefined());
    for (const name of ["low-1", "low-2"]) await cluster.removePod(name);
    expect(await cluster.nodeOf("high")).toBe("only");
    expect((await cluster.getPod("mid")).spec.nodeName).toBeUndefined();
  });

  test("a promise stays while others make room elsewhere", async () => {
    await cluster.addNode("only");
    await running("low", "low", {}, { cpu: "2" });
    await cluster.addPod("mid", { priorityClassName: "mid" }, { cpu: "2" });
    await nominated("mid", "only");
    await cluster.addNode("other", { cpu: "1" });
    await running("lowest", "low");
    await cluster.addPod("high", { priorityClassName: "high", nodeSelector: { "kubernetes.io/hostname": "other" } });
    await nominated("high", "other");
    await nominated("mid", "only");
    await cluster.removePod("lowest");
    expect(await cluster.nodeOf("high")).toBe("other");
    await cluster.removePod("low");
    expect(await cluster.nodeOf("mid")).toBe("only");
  });

  test("a scheduler that starts again knows what was promised", async () => {
    await cluster.addNode("only");
    await running("low", "low", {}, { cpu: "2" });
    await cluster.addPod("high", { priorityClassName: "high" }, { cpu: "2" });
    await nominated("high", "only");
    await cluster.restart();
    await cluster.addPod("mid", { priorityClassName: "mid" });
    await cluster.says("mid", "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Insufficient cpu.");
    await cluster.removePod("low");
    expect(await cluster.nodeOf("high")).toBe("only");
    expect((await cluster.getPod("mid")).spec.nodeName).toBeUndefined();
  });

  describe("a node that somebody else has named", () => {
    /** Gated until it has been named. */
    async function named(name: string, nodeName: string, requests: Record<string, string>): Promise<void> {
      await cluster.addPod(name, { schedulingGates: [{ name: "example.com/wait" }] }, requests);
      await cluster.patchPod(name, { status: { nominatedNodeName: nodeName } }, "status");
      await cluster.client.patch(pods, { namespace, name }, { type: "application/json-patch+json", body: [{ op: "remove", path: "/spec/schedulingGates" }] });
    }
    test("is taken where it fits, even if others are better", async () => {
      for (const name of ["busy", "idle"]) await cluster.addNode(name);
      await cluster.addPod("there", { nodeName: "busy" }, { cpu: "1" });
      await named("p", "busy", { cpu: "500m" });
      expect(await cluster.nodeOf("p")).toBe("busy");
      expect((await cluster.getPod("p")).status?.nominatedNodeName).toBeUndefined();
    });
    test("is forgotten where nothing fits, and others have the room", async () => {
      await cluster.addNode("only");
      await named("big", "only", { cpu: "3" });
      await cluster.says("big", "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.");
      await eventually(async () => expect((await cluster.getPod("big")).status?.nominatedNodeName).toBeUndefined());
      await running("small", "low", {}, { cpu: "2" });
    });
    test("gives way to a pod of more priority", async () => {
      await cluster.addNode("only");
      await cluster.addPod("first", { priorityClassName: "high" }, { cpu: "2" });
      expect(await cluster.nodeOf("first")).toBe("only");
      await named("second", "only", { cpu: "1" });
      await cluster.says("second", "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.");
      await eventually(async () => expect((await cluster.getPod("second")).status?.nominatedNodeName).toBeUndefined());
    });
  });

  test("a victim that a finalizer holds keeps its condition, and its room", async () => {
    await cluster.addNode("only");
    await cluster.client.create(pods, { metadata: { name: "held", namespace, finalizers: ["example.com/hold"] }, spec: { nodeName: "only", priorityClassName: "low", containers: [{ name: "main", image: "web:1", resources: { requests: { cpu: "2" } } }] } });
    await cluster.addPod("high", { priorityClassName: "high" });
    const victim = await evicted("held");
    expect(victim.status?.conditions).toContainEqual(expect.objectContaining({ type: "DisruptionTarget", reason: "PreemptionByScheduler" }));
    await cluster.removePod("held");
    await nominated("high", "only");
    expect((await cluster.getPod("high")).spec.nodeName).toBeUndefined();
    await cluster.patchPod("held", { metadata: { finalizers: null } });
    expect(await cluster.nodeOf("high")).toBe("only");
  });

  test("when removing a victim fails, the pod tries again", async () => {
    let failures = 2;
    await cluster.restart({ client: { ...cluster.client, delete: async (...call) => {
      if (failures-- > 0) throw new Error("the disk is full");
      return cluster.client.delete(...call);
    } } });
    await cluster.addNode("only");
    await running("low", "low", {}, { cpu: "2" });
    await cluster.addPod("high", { priorityClassName: "high" });
    await evicted("low");
    await cluster.removePod("low");
    expect(await cluster.nodeOf("high")).toBe("only");
    expect(failures).toBeLessThan(0);
  });

  test("system pods come before all others", async () => {
    await cluster.client.create(priorityclasses, { metadata: { name: "system-node-critical" }, value: 2_000_001_000 }).catch(() => undefined);
    await cluster.addNode("only");
    await running("top", "top", {}, { cpu: "2" });
    await cluster.addPod("critical", { priorityClassName: "system-node-critical" });
    await evicted("top");
    await nominated("critical", "only");
  });

  test("extended resources in four priorities", async () => {
    const resource = "example.com/fakecpu";
    await cluster.addNode("only", { resources: { [resource]: "1000" } });
    const classes = ["low", "mid", "high", "top"] as const;
    const share: Record<(typeof classes)[number], string> = { low: "200", mid: "300", high: "450", top: "50" };
    // low + mid + high take 950: only top makes nobody go, a second round of high takes from low and mid.
    for (const name of classes) await running(`first-${name}`, name, {}, { [resource]: share[name] });
    await cluster.addPod("second-high", { priorityClassName: "high" }, { [resource]: "450" });
    for (const name of ["first-low", "first-mid"]) {
      await evicted(name);
      await cluster.removePod(name);
    }
    expect(await cluster.nodeOf("second-high")).toBe("only");
    for (const name of ["first-high", "first-top"]) await isLeftAlone(name);
    await cluster.addPod("third-low", { priorityClassName: "low" }, { [resource]: "100" });
    await cluster.says("third-low", `0/1 nodes are available: 1 Insufficient ${resource}. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.`);
  });

  test("a victim that somebody else removes meanwhile is no failure", async () => {
    await cluster.addNode("only");
    await running("low", "low", {}, { cpu: "2" });
    await cluster.addPod("high", { priorityClassName: "high" });
    await cluster.removePod("low");
    expect(await cluster.nodeOf("high")).toBe("only");
  });
});
