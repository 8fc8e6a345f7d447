import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pods } from "../../src/apis/builtins.ts";
import type { ContainerStatus, Pod } from "../../src/apis/generated/core/v1.ts";
import { startKubeletNode, type KubeletNode } from "../support/kubelet-node.ts";

setDefaultTimeout(180_000);
let node: KubeletNode;
beforeAll(async () => {
  node = await startKubeletNode();
});
afterAll(() => node?.[Symbol.asyncDispose]());

const running = ({ status }: Pod): boolean => status?.containerStatuses?.every(({ state }) => state?.running) === true;
const isReady = ({ status }: Pod): string | undefined => status?.conditions?.find(({ type }) => type === "Ready")?.status;
const remove = (name: string): Promise<unknown> => node.client.delete(pods, { namespace: "default", name });
const scratch = (node: KubeletNode): { volumes: Pod["spec"]["volumes"]; file: string } => ({ volumes: [{ name: "scratch", hostPath: { path: node.rootDir } }], file: join(node.rootDir, "told") });

test("sidecars end after the others, last first; all preStop hooks run at once", async () => {
  const { volumes, file } = scratch(node);
  const mounted = { volumeMounts: [{ name: "scratch", mountPath: "/scratch" }] };
  const telling = (name: string) => ({
    name, ...mounted, command: ["sh", "-c", `trap 'until [ $(grep -c told /scratch/told) = 3 ]; do sleep 0.1; done; echo ${name} ends >> /scratch/told; exit 0' TERM; while :; do sleep 0.05; done`], lifecycle: { preStop: { exec: { command: ["sh", "-c", `echo ${name} is told >> /scratch/told`] } } },
  });
  await node.createPod("ordered-end", {
    volumes, terminationGracePeriodSeconds: 60,
    initContainers: [{ ...telling("first"), restartPolicy: "Always" }, { ...telling("second"), restartPolicy: "Always" }], containers: [telling("main")],
  });
  await node.podWhen("ordered-end", (pod) => running(pod) && pod.status?.initContainerStatuses?.every(({ started }) => started) === true);
  await remove("ordered-end");
  await node.gone("ordered-end");
  const lines = readFileSync(file, "utf8").trim().split("\n");
  expect(lines.slice(0, 3).toSorted()).toEqual(["first is told", "main is told", "second is told"]);
  expect(lines.slice(3)).toEqual(["main ends", "second ends", "first ends"]);
});

test("a pod that ends is told not ready as soon as its probe says so, and which containers have ended", async () => {
  const { volumes } = scratch(node), end = join(node.rootDir, "leaving-may-end");
  await node.createPod("leaving", {
    volumes, terminationGracePeriodSeconds: 120,
    containers: [
      { name: "server", command: ["sh", "-c", "touch /ready; trap 'rm /ready; until [ -e /scratch/leaving-may-end ]; do sleep 0.1; done; exit 0' TERM; while :; do sleep 0.05; done"], volumeMounts: [{ name: "scratch", mountPath: "/scratch" }], readinessProbe: { exec: { command: ["test", "-e", "/ready"] }, timeoutSeconds: 20, periodSeconds: 1, failureThreshold: 1 }, livenessProbe: { exec: { command: ["test", "-e", "/ready"] }, timeoutSeconds: 20, periodSeconds: 1, failureThreshold: 1 } },
      { name: "quick", command: ["sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.05; done"] },
    ],
  });
  await node.podWhen("leaving", (pod) => isReady(pod) === "True");
  await remove("leaving");
  const told = ([server, quick]: ContainerStatus[] = []): boolean => server?.ready === false && quick?.state?.terminated !== undefined;
  const pod = await node.podWhen("leaving", (found) => isReady(found) === "False" && told(found.status?.containerStatuses));
  expect(pod.status).toMatchObject({ phase: "Running", containerStatuses: [{ ready: false, state: { running: {} } }, { state: { terminated: { exitCode: 5 } } }] });
  writeFileSync(end, "");
  await node.gone("leaving");
  // Whether it lives was not asked while it ended.
  expect((await node.events("leaving")).filter(({ message }) => message?.startsWith("Liveness"))).toEqual([]);
});

test("what the runtime has lost sight of in a pod's cgroup goes with the pod", async () => {
  await node.createPod("leaking", { terminationGracePeriodSeconds: 1, containers: [{ name: "c", command: ["sleep", "1000"] }] });
  const pod = await node.podWhen("leaking", running);
  // As a runtime leaves a container behind whose start was cut off by the kubelet's end.
  const lost = Bun.spawn(["sleep", "1000"]);
  try {
    const hierarchy = existsSync("/sys/fs/cgroup/cgroup.controllers") ? "/sys/fs/cgroup" : "/sys/fs/cgroup/pids";
    const group = join(hierarchy, node.cgroupRoot, "besteffort", `pod${pod.metadata.uid}`);
    mkdirSync(join(group, "lost"));
    writeFileSync(join(group, "lost/cgroup.procs"), String(lost.pid));
    await remove("leaking");
    await node.gone("leaking");
    await lost.exited;
    expect(lost.signalCode).toBe("SIGKILL");
    expect(existsSync(group)).toBe(false);
  } finally {
    lost.kill("SIGKILL");
  }
});
