import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { nodes, pods, priorityclasses } from "../../src/apis/builtins.ts";
import type { Pod, PodSpec } from "../../src/apis/generated/core/v1.ts";
import { eventually } from "../support/eventually.ts";
import { nodeName, startKubeletNode, type KubeletNode } from "../support/kubelet-node.ts";

setDefaultTimeout(180_000);
let node: KubeletNode;
beforeAll(async () => {
  node = await startKubeletNode();
});
afterAll(() => node?.[Symbol.asyncDispose]());

const command = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"];
const isReady = ({ status }: Pod): boolean => status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") ?? false;
const hasFailed = ({ status }: Pod): boolean => status?.phase === "Failed";
const containerOf = ({ status }: Pod): string => status!.containerStatuses![0]!.containerID!;
const label = (value: string | null): Promise<unknown> => node.client.patch(nodes, { name: nodeName }, { type: "application/merge-patch+json", body: { metadata: { labels: { disk: value } } } });
async function remove(...names: string[]): Promise<void> {
  for (const name of names) await node.client.delete(pods, { namespace: "default", name });
  for (const name of names) await node.gone(name);
}

test("what runs stays, though the node would not take it now", async () => {
  const picky: Partial<PodSpec> = { nodeSelector: { disk: "ssd" }, containers: [{ name: "main", command }] };
  // The label may come to the kubelet after the pod that wants it.
  await label("ssd");
  await node.createPod("stays", picky);
  const before = await node.podWhen("stays", isReady);
  await label(null);
  await node.restartKubelet();
  await node.createPod("late", picky);
  expect((await node.podWhen("late", hasFailed)).status).toMatchObject({ reason: "NodeAffinity", message: "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector" });
  const after = await node.pod("stays");
  expect(isReady(after)).toBe(true);
  expect(containerOf(after)).toBe(containerOf(before));
  await remove("stays", "late");
});

test("of what comes while the kubelet is away, the older goes first, and what ran before any", async () => {
  const withPort = (hostPort: number): Partial<PodSpec> => ({ containers: [{ name: "main", command, ports: [{ containerPort: 80, hostPort }] }] });
  await node.createPod("was-here", withPort(21018));
  const before = await node.podWhen("was-here", isReady);
  await node.restartKubelet(async () => {
    await node.createPod("a-clash", withPort(21018));
    const { metadata } = await node.createPod("z-older", withPort(21019));
    await eventually(() => expect(Date.now()).toBeGreaterThan(Date.parse(metadata.creationTimestamp!) + 1000), { timeout: 60_000 });
    await node.createPod("b-younger", withPort(21019));
  });
  for (const name of ["a-clash", "b-younger"]) expect((await node.podWhen(name, hasFailed)).status!.reason).toBe("NodePorts");
  await node.podWhen("z-older", isReady);
  expect(containerOf(await node.podWhen("was-here", isReady))).toBe(containerOf(before));
  await remove("was-here", "a-clash", "z-older", "b-younger");
});

test("for a critical pod others make room, and are told why", async () => {
  const { cpu } = (await node.client.get(nodes, { name: nodeName })).status!.allocatable!;
  const asks = (amount: string): PodSpec["containers"] => [{ name: "main", command, resources: { requests: { cpu: amount } } }];
  await node.createPod("bystander", { containers: [{ name: "main", command }] });
  await node.createPod("victim", { terminationGracePeriodSeconds: 30, containers: asks(String(cpu)) });
  for (const name of ["bystander", "victim"]) await node.podWhen(name, isReady);
  await node.createPod("important", { containers: asks("500m") });
  expect((await node.podWhen("important", hasFailed)).status!.reason).toBe("OutOfcpu");

  await node.client.create(priorityclasses, { apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", metadata: { name: "system-node-critical" }, value: 2_000_001_000 });
  await node.createPod("critical", { priorityClassName: "system-node-critical", containers: asks("500m") });
  // As soon as the other has heeded SIGTERM.
  await node.podWhen("critical", isReady);
  const victim = await node.podWhen("victim", hasFailed);
  expect(victim.status).toMatchObject({ reason: "Preempting", message: "Preempted in order to admit critical pod", containerStatuses: [{ state: { terminated: { exitCode: 0 } } }] });
  expect(victim.status!.conditions).toContainEqual(expect.objectContaining({ type: "DisruptionTarget", status: "True", reason: "TerminationByKubelet", message: "Pod was preempted by Kubelet to accommodate a critical pod." }));
  await eventually(async () => expect((await node.events("victim")).map(({ type, reason, message }) => [type, reason, message])).toContainEqual(["Warning", "Preempting", "Preempted in order to admit critical pod"]));
  expect(isReady(await node.pod("bystander"))).toBe(true);

  // Nobody can make so much room.
  await node.createPod("insatiable", { priorityClassName: "system-node-critical", containers: asks("4k") });
  const insatiable = await node.podWhen("insatiable", hasFailed);
  expect(insatiable.status!.reason).toBe("UnexpectedAdmissionError");
  expect(insatiable.status!.message).toMatch(/^Pod was rejected: Unexpected error while attempting to recover from admission failure: preemption: error finding a set of pods to preempt: no set of running pods found to reclaim resources: \[\(res: cpu, q: \d+\), \]$/);
  await remove("bystander", "victim", "important", "critical", "insatiable");
});
