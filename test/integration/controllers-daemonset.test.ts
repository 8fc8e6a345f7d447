import { describe, expect, test } from "bun:test";
import { controllerrevisions, daemonsets, events, nodes, pods } from "../../src/apis/builtins.ts";
import type { ControllerRevision, DaemonSet } from "../../src/apis/generated/apps/v1.ts";
import type { Event, Node, Pod } from "../../src/apis/generated/core/v1.ts";
import { startControlPlane, type ControlPlane } from "../support/control-plane.ts";
import { hollowCluster } from "../support/hollow-cluster.ts";
import { eventually } from "../support/eventually.ts";

const ns = "default";
const key = { namespace: ns, name: "log" };

function log(image: string, spec: Partial<DaemonSet["spec"] & object> = {}): DaemonSet {
  return {
    apiVersion: "apps/v1", kind: "DaemonSet", metadata: { name: "log", namespace: ns },
    spec: { selector: { matchLabels: { app: "log" } }, template: { metadata: { labels: { app: "log" } }, spec: { containers: [{ name: "c", image }] } }, ...spec },
  };
}

const addNode = (plane: ControlPlane, name: string, rest: Partial<Node> = {}): Promise<unknown> =>
  plane.client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name, labels: { "kubernetes.io/hostname": name } }, spec: {}, ...rest });

const target = (pod: Pod): string => pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms[0]?.matchFields?.[0]?.values?.[0] ?? "";
const set = (plane: ControlPlane): DaemonSet => plane.list<DaemonSet>(daemonsets, ns)[0]!;
const live = (plane: ControlPlane): Pod[] => plane.pods(ns).filter(({ metadata }) => !metadata.deletionTimestamp);
const placed = (plane: ControlPlane): string[] => live(plane).map((pod) => `${target(pod)}:${pod.spec.containers[0]!.image}`).toSorted();
const useImage = (plane: ControlPlane, image: string): Promise<unknown> => plane.client.patch(daemonsets, key, { type: "application/merge-patch+json", body: { spec: { template: { spec: { containers: [{ name: "c", image }] } } } } });

/** Binds pods to the node they ask for and ends those that are deleted, as a scheduler and a kubelet would. */
async function bind(plane: ControlPlane): Promise<void> {
  for (const pod of plane.pods(ns)) {
    const { name } = pod.metadata;
    if (pod.metadata.deletionTimestamp) await plane.client.delete(pods, { namespace: ns, name: name! }, { gracePeriodSeconds: 0 });
    else if (!pod.spec.nodeName) await plane.client.createSubresource(pods, { namespace: ns, name: name! }, "binding", { apiVersion: "v1", kind: "Binding", metadata: { name }, target: { kind: "Node", name: target(pod) } });
  }
}

const settled = (plane: ControlPlane, expected: string[]): Promise<DaemonSet> => eventually(async () => {
  await bind(plane);
  await plane.runPods(ns);
  expect(placed(plane)).toEqual(expected);
  const { metadata, status } = set(plane);
  const { desiredNumberScheduled, updatedNumberScheduled = 0, numberAvailable = 0, observedGeneration } = status!;
  const desired = expected.length;
  expect({ desiredNumberScheduled, updatedNumberScheduled, numberAvailable, observedGeneration }).toEqual({ desiredNumberScheduled: desired, updatedNumberScheduled: desired, numberAvailable: desired, observedGeneration: metadata.generation! });
  return set(plane);
});

describe("a daemon set", () => {
  test("has a pod on each node that is eligible, as nodes come, change and go", async () => {
    await using plane = await startControlPlane();
    await addNode(plane, "a");
    await addNode(plane, "b", { spec: { taints: [{ key: "dedicated", value: "db", effect: "NoSchedule" }] } });
    await addNode(plane, "c", { spec: { unschedulable: true, taints: [{ key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" }] } });
    await plane.client.create(daemonsets, log("v1"));
    await settled(plane, ["a:v1", "c:v1"]);
    const [pod] = live(plane);
    expect(pod!.spec.tolerations!.map(({ key: taint, operator, effect }) => `${taint} ${operator} ${effect}`)).toEqual([
      "node.kubernetes.io/not-ready Exists NoExecute", "node.kubernetes.io/unreachable Exists NoExecute", "node.kubernetes.io/disk-pressure Exists NoSchedule",
      "node.kubernetes.io/memory-pressure Exists NoSchedule", "node.kubernetes.io/pid-pressure Exists NoSchedule", "node.kubernetes.io/unschedulable Exists NoSchedule",
    ]);
    const [revision] = plane.list<ControllerRevision>(controllerrevisions, ns);
    expect(pod!.metadata.labels).toEqual({ app: "log", "pod-template-generation": "1", "controller-revision-hash": revision!.metadata.labels!["controller-revision-hash"]! });
    expect(revision!.metadata.name).toBe(`log-${revision!.metadata.labels!["controller-revision-hash"]}`);
    await addNode(plane, "d");
    await settled(plane, ["a:v1", "c:v1", "d:v1"]);
    await plane.client.patch(nodes, { name: "b" }, { type: "application/merge-patch+json", body: { spec: { taints: null } } });
    await settled(plane, ["a:v1", "b:v1", "c:v1", "d:v1"]);
    await plane.client.patch(daemonsets, key, { type: "application/merge-patch+json", body: { spec: { template: { spec: { nodeSelector: { disk: "ssd" } } } } } });
    await settled(plane, []);
    await plane.client.patch(nodes, { name: "b" }, { type: "application/merge-patch+json", body: { metadata: { labels: { disk: "ssd" } } } });
    await settled(plane, ["b:v1"]);
    await eventually(() => expect(plane.list<Event>(events, ns).filter(({ reason }) => reason === "SuccessfulDelete").map(({ message }) => message).toSorted()[0]).toMatch(/^Deleted pod: log-\w{5}$/));
  });

  test("leaves pods on nodes that others are now kept from, and counts them as misscheduled", async () => {
    await using plane = await startControlPlane();
    for (const name of ["a", "b"]) await addNode(plane, name);
    await plane.client.create(daemonsets, log("v1"));
    await settled(plane, ["a:v1", "b:v1"]);
    const taint = (effect: string): Promise<unknown> => plane.client.patch(nodes, { name: "b" }, { type: "application/merge-patch+json", body: { spec: { taints: [{ key: "k", effect }] } } });
    await taint("NoSchedule");
    await eventually(() => expect(set(plane).status).toMatchObject({ desiredNumberScheduled: 1, currentNumberScheduled: 1, numberMisscheduled: 1, numberReady: 1 }));
    expect(placed(plane)).toEqual(["a:v1", "b:v1"]);
    await taint("NoExecute");
    await eventually(() => expect(placed(plane)).toEqual(["a:v1"]));
  });

  test("rolls out node by node, and back without touching pods that are right", async () => {
    await using plane = await startControlPlane();
    for (const name of ["a", "b", "c"]) await addNode(plane, name);
    await plane.client.create(daemonsets, log("v1"));
    await settled(plane, ["a:v1", "b:v1", "c:v1"]);
    await useImage(plane, "v2");
    await eventually(async () => {
      await bind(plane);
      expect(placed(plane).filter((pod) => pod.endsWith("v2"))).toHaveLength(1);
    });
    const kept = live(plane).filter((pod) => pod.spec.containers[0]!.image === "v1").map(({ metadata }) => metadata.uid!);
    expect(kept).toHaveLength(2);
    await useImage(plane, "v1");
    await settled(plane, ["a:v1", "b:v1", "c:v1"]);
    expect(live(plane).map(({ metadata }) => metadata.uid)).toEqual(expect.arrayContaining(kept));
    expect(plane.list<ControllerRevision>(controllerrevisions, ns).map(({ revision }) => revision).toSorted()).toEqual([2, 3]);
    await useImage(plane, "v2");
    await settled(plane, ["a:v2", "b:v2", "c:v2"]);
  });

  test("surges: the new pod is there before the old one goes", async () => {
    await using plane = await startControlPlane();
    for (const name of ["a", "b"]) await addNode(plane, name);
    await plane.client.create(daemonsets, log("v1", { updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } }));
    await settled(plane, ["a:v1", "b:v1"]);
    const ready = new Set<number>();
    plane.informers.informer(pods).onChange(() => ready.add(new Set(live(plane).filter((pod) => pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True")).map(target)).size));
    await useImage(plane, "v2");
    await eventually(() => expect(live(plane)).toHaveLength(3));
    await settled(plane, ["a:v2", "b:v2"]);
    expect([...ready]).toEqual([2]);
  });

  test("OnDelete waits for users; failed pods are replaced in any case", async () => {
    await using plane = await startControlPlane();
    for (const name of ["a", "b"]) await addNode(plane, name);
    await plane.client.create(daemonsets, log("v1", { updateStrategy: { type: "OnDelete" } }));
    await settled(plane, ["a:v1", "b:v1"]);
    await useImage(plane, "v2");
    await eventually(() => expect(set(plane).status).toEqual({ observedGeneration: 2, currentNumberScheduled: 2, desiredNumberScheduled: 2, numberMisscheduled: 0, numberReady: 2, numberAvailable: 2 }));
    expect(placed(plane)).toEqual(["a:v1", "b:v1"]);
    const onA = live(plane).find((pod) => target(pod) === "a")!;
    await plane.client.patch(pods, { namespace: ns, name: onA.metadata.name! }, { type: "application/merge-patch+json", body: { status: { phase: "Failed" } } }, { subresource: "status" });
    await eventually(async () => {
      await bind(plane);
      expect(placed(plane)).toEqual(["a:v2", "b:v1"]);
    });
    await eventually(() => expect(plane.list<Event>(events, ns).filter(({ reason }) => reason === "FailedDaemonPod").map(({ message }) => message!)).toEqual([`Found failed daemon pod default/${onA.metadata.name} on node a, will try to kill it`]));
  });
});

test("on nodes, a daemon set whose new image is broken stops at the first, and goes back without touching the others", async () => {
  await using cluster = await hollowCluster({ nodes: 3 });
  await cluster.client.create(daemonsets, log("v1"));
  const running = (image: string): Promise<void> => eventually(() => {
    expect(live(cluster).map((pod) => `${pod.spec.nodeName}:${pod.spec.containers[0]!.image}`).toSorted()).toEqual([`node-0:${image}`, `node-1:${image}`, `node-2:${image}`]);
    expect(set(cluster).status).toMatchObject({ numberAvailable: 3, updatedNumberScheduled: 3, observedGeneration: set(cluster).metadata.generation! });
  });
  await running("v1");
  await useImage(cluster, "nonexistent");
  await eventually(() => {
    expect(cluster.pods(ns).filter(({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === "ImagePullBackOff")).toHaveLength(1);
    expect(set(cluster).status).toMatchObject({ numberUnavailable: 1, updatedNumberScheduled: 1 });
  });
  const good = live(cluster).filter((pod) => pod.spec.containers[0]!.image === "v1").map(({ metadata }) => metadata.uid!);
  expect(good).toHaveLength(2);
  await useImage(cluster, "v1");
  await running("v1");
  expect(live(cluster).map(({ metadata }) => metadata.uid)).toEqual(expect.arrayContaining(good));
  await cluster.hollow.addNode({ name: "node-3" });
  await eventually(() => expect(set(cluster).status).toMatchObject({ desiredNumberScheduled: 4, numberAvailable: 4 }));
  await cluster.hollow.removeNode("node-3");
  await eventually(() => expect(set(cluster).status).toMatchObject({ desiredNumberScheduled: 3 }));
});
