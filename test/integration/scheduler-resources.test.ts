import { afterEach, describe, expect, test } from "bun:test";
import { nodes, pods } from "../../src/apis/builtins.ts";
import { namespace, startSchedulerCluster, type SchedulerCluster } from "../support/scheduler-cluster.ts";

let cluster: SchedulerCluster;
afterEach(() => cluster[Symbol.asyncDispose]());

const noRoom = "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";
/** As a kubelet reports what a container uses and was given. */
const uses = (cpu: string, allocated = cpu) => ({ status: { phase: "Running", containerStatuses: [{ name: "main", image: "web:1", imageID: "", ready: true, restartCount: 0, resources: { requests: { cpu } }, allocatedResources: { cpu: allocated } }] } });
const asks = (cpu: string) => ({ spec: { containers: [{ name: "main", resources: { requests: { cpu } } }] } });
const strategic = (name: string, body: unknown, subresource: string): Promise<unknown> =>
  cluster.client.patch(pods, { namespace, name }, { type: "application/strategic-merge-patch+json", body }, { subresource });

describe("pods that are resized in place", () => {
  test("give room back when the node has taken it from them", async () => {
    cluster = await startSchedulerCluster();
    await cluster.addNode("only");
    await cluster.addPod("shrinks", {}, { cpu: "1500m" });
    await cluster.nodeOf("shrinks");
    await cluster.patchPod("shrinks", uses("1500m"), "status");
    await cluster.addPod("waits", {}, { cpu: "1" });
    await cluster.says("waits", noRoom);
    await strategic("shrinks", asks("500m"), "resize");
    // Asked for, but still in use.
    await cluster.addPod("late", {}, { cpu: "1" });
    await cluster.says("late", noRoom);
    expect((await cluster.getPod("waits")).spec.nodeName).toBeUndefined();
    await cluster.patchPod("shrinks", uses("500m"), "status");
    expect(await cluster.nodeOf("waits")).toBe("only");
  });
});

describe("what a pod takes", () => {
  test("is what it asks as a whole, and its overhead", async () => {
    cluster = await startSchedulerCluster();
    await cluster.addNode("only");
    await cluster.addPod("whole", { resources: { requests: { cpu: "1500m" } } }, { cpu: "100m" });
    await cluster.nodeOf("whole");
    await cluster.addPod("waits", {}, { cpu: "600m" });
    await cluster.says("waits", noRoom);
    await cluster.addPod("fits", {}, { cpu: "500m" });
    expect(await cluster.nodeOf("fits")).toBe("only");
  });
  test("of extended resources comes with more of them", async () => {
    cluster = await startSchedulerCluster();
    await cluster.addNode("only", { resources: { "example.com/device": "1" } });
    await cluster.addPod("first", {}, { cpu: "100m", "example.com/device": "1" });
    await cluster.nodeOf("first");
    await cluster.addPod("second", {}, { cpu: "100m", "example.com/device": "1" });
    await cluster.says("second", noRoom.replace("cpu", "example.com/device"));
    await cluster.client.patch(nodes, { name: "only" }, { type: "application/merge-patch+json", body: { status: { capacity: { "example.com/device": "2" }, allocatable: { "example.com/device": "2" } } } }, { subresource: "status" });
    expect(await cluster.nodeOf("second")).toBe("only");
  });
});
