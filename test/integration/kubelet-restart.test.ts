import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { ContainerRestartRule, Pod } from "../../src/apis/generated/core/v1.ts";
import { startKubeletNode, type KubeletNode } from "../support/kubelet-node.ts";

setDefaultTimeout(180_000);
let node: KubeletNode;
beforeAll(async () => {
  node = await startKubeletNode();
});
afterAll(() => node?.[Symbol.asyncDispose]());

const forever = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"];
const scratch = { volumes: [{ name: "scratch", emptyDir: {} }] };
const mounted = { volumeMounts: [{ name: "scratch", mountPath: "/scratch" }] };
/** Ends with the code the first time, and runs on the second. */
const once = (code: number): string[] => ["sh", "-c", `if [ ! -e /scratch/$0 ]; then touch /scratch/$0; sleep 0.3; exit ${code}; fi; ${forever[2]}`, "was-here"];
const rule = (action: string, ...values: number[]): ContainerRestartRule => ({ action, exitCodes: { operator: "In", values } }) as ContainerRestartRule;
const counts = ({ status }: Pod): number[] => [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].map(({ restartCount }) => restartCount);
const running = ({ status }: Pod): boolean => status?.containerStatuses?.every(({ state }) => state?.running) === true;

test("a container's own policy counts, and before it the rule for its exit code", async () => {
  await node.createPod("rules", {
    ...scratch, restartPolicy: "Never",
    containers: [
      { name: "ruled", command: once(42), ...mounted, restartPolicy: "Never", restartPolicyRules: [rule("Restart", 42)] },
      { name: "own", command: once(0).map((word) => (word === "was-here" ? "own" : word)), ...mounted, restartPolicy: "Always" },
      { name: "plain", command: ["sh", "-c", "exit 3"] },
    ],
  });
  const pod = await node.podWhen("rules", (found) => counts(found).join() === "1,1,0" && found.status?.containerStatuses?.[0]?.state?.running !== undefined && found.status.containerStatuses[1]?.state?.running !== undefined);
  expect(pod.status).toMatchObject({ phase: "Running", containerStatuses: [{ lastState: { terminated: { exitCode: 42 } } }, { lastState: { terminated: { exitCode: 0 } } }, { state: { terminated: { exitCode: 3 } } }] });
});

test("a pod whose containers none may start again has ended, whatever the pod's policy", async () => {
  await node.createPod("done", { restartPolicy: "Always", containers: [{ name: "a", command: ["false"], restartPolicy: "Never" }, { name: "b", command: ["true"], restartPolicy: "OnFailure" }] });
  expect((await node.podWhen("done", ({ status }) => status?.phase === "Failed")).status?.containerStatuses).toMatchObject([{ state: { terminated: { exitCode: 1 } } }, { state: { terminated: { exitCode: 0 } } }]);
});

test("an init container's rule starts it again in a pod that is not", async () => {
  await node.createPod("init-rule", {
    ...scratch, restartPolicy: "Never",
    initContainers: [{ name: "init", command: ["sh", "-c", "if [ ! -e /scratch/x ]; then touch /scratch/x; exit 7; fi"], ...mounted, restartPolicy: "Never", restartPolicyRules: [rule("Restart", 7)] }],
    containers: [{ name: "main", command: ["true"] }],
  });
  expect(counts(await node.podWhen("init-rule", ({ status }) => status?.phase === "Succeeded"))).toEqual([1, 0]);
});

const restarting = (name: string): Parameters<KubeletNode["createPod"]> => [name, {
  ...scratch, restartPolicy: "Never", terminationGracePeriodSeconds: 0,
  initContainers: [{ name: "init", command: ["sh", "-c", "echo x >> /scratch/inits"], ...mounted }, { name: "side", command: forever, restartPolicy: "Always" }],
  containers: [{ name: "main", command: once(42), ...mounted, restartPolicy: "Never", restartPolicyRules: [rule("RestartAllContainers", 42)] }, { name: "other", command: forever }],
}];

test("one container's end starts all of them again, from the first init container on, in the same sandbox", async () => {
  await node.createPod(...restarting("all"));
  const pod = await node.podWhen("all", (found) => counts(found).every((count) => count === 1) && running(found));
  expect(pod.status?.conditions?.find(({ type }) => type === "AllContainersRestarting")).toMatchObject({ status: "False" });
  const { items = [] } = await node.containerd.runtime.runtime.listPodSandbox({ filter: { labelSelector: { "io.kubernetes.pod.name": "all" } } });
  expect(items).toHaveLength(1);
});

test("also when kubelets are killed in the middle", async () => {
  await node.createPod(...restarting("interrupted"));
  await node.podWhen("interrupted", (found) => found.status?.containerStatuses?.[0]?.state?.terminated !== undefined || counts(found).some((count) => count > 0));
  for (let i = 0; i < 3; i++) await node.restartKubelet();
  const pod = await node.podWhen("interrupted", (found) => counts(found).every((count) => count === 1) && running(found));
  expect(pod.status?.phase).toBe("Running");
});
