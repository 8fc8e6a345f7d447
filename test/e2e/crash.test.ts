import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { output } from "../support/running.ts";
import { startWithBusybox, type TestSkiff } from "../support/skiff.ts";
import { deployment, pod, service, shell, webServer } from "../support/workloads.ts";

setDefaultTimeout(180_000);

/** Each test does harm to a server of its own. */
let skiff: TestSkiff;
beforeEach(async () => {
  skiff = await startWithBusybox();
});
afterEach(() => skiff.dispose());

const web = (text: string): object => deployment("web", 3, webServer(`echo ${text} > /www/index.html`), { strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } } });
const rolledOut = (): Promise<string> => skiff.kubectl("rollout", "status", "deployment/web", "--timeout=120s");
const curl = (): Promise<string> => skiff.kubectl.get("service", "web").then(({ spec }) => output(skiff.network.inside(["curl", "-sS", "--max-time", "5", `http://${spec.clusterIP}/`]))).then((text) => text.trim());

interface ContainerLife { id: string; restarts: number; startedAt: string }

/** The lives of the containers of all pods that have not been told to go, by pod. */
async function lives(...args: string[]): Promise<Record<string, ContainerLife>> {
  const pods = (await skiff.kubectl.items("pods", ...args)).filter(({ metadata }) => !metadata.deletionTimestamp);
  return Object.fromEntries(pods.map(({ metadata, status }) => {
    const [container] = status.containerStatuses ?? [];
    return [metadata.name, { id: container?.containerID ?? "", restarts: container?.restartCount ?? 0, startedAt: container?.state.running?.startedAt ?? "" }];
  }));
}

/** Every container that ran before, of a pod that is still wanted, is the same one. Those that were just being made may have been made again. */
function expectUnbroken(before: Record<string, ContainerLife>, after: Record<string, ContainerLife>): void {
  const ran = Object.entries(before).filter(([name, life]) => life.startedAt && name in after);
  expect(ran).not.toEqual([]);
  expect(Object.fromEntries(ran.map(([name]) => [name, after[name]]))).toEqual(Object.fromEntries(ran));
}

/** The process ids of the container, by the kernel's word: no API is asked. */
const processesOf = (uid: string, containerId: string): string => readFileSync(`/sys/fs/cgroup/${existsSync("/sys/fs/cgroup/pids") ? "pids/" : ""}${skiff.layout.instance}/besteffort/pod${uid}/${containerId.replace("containerd://", "")}/cgroup.procs`, "utf8").trim();

/** A pod whose one process speaks on and on. */
async function steadyPod(): Promise<{ uid: string; id: string; process: string }> {
  await skiff.kubectl.apply(pod("steady", shell("exec ping -i 0.2 127.0.0.1")));
  await skiff.kubectl("wait", "--for=condition=Ready", "pod/steady", "--timeout=90s");
  const { metadata, status } = await skiff.kubectl.get("pod", "steady");
  const id = status.containerStatuses[0].containerID;
  return { uid: metadata.uid, id, process: processesOf(metadata.uid, id) };
}

async function expectSteady({ uid, id, process }: Awaited<ReturnType<typeof steadyPod>>): Promise<void> {
  const { metadata, status } = await skiff.kubectl.get("pod", "steady");
  expect({ uid: metadata.uid, id: status.containerStatuses[0].containerID, restarts: status.containerStatuses[0].restartCount, phase: status.phase }).toEqual({ uid, id, restarts: 0, phase: "Running" });
  expect(processesOf(uid, id)).toBe(process);
}

describe("kill -9 of the server", () => {
  test("in the middle of a rollout: it goes on where it was, and running pods are adopted", async () => {
    const { kubectl } = skiff;
    const steady = await steadyPod();
    await kubectl.apply(web("one"), service("web"));
    await rolledOut();
    await kubectl.apply(web("two"));
    await eventually(async () => expect((await kubectl.get("deployment", "web")).status.updatedReplicas).toBeGreaterThan(0));
    const before = await lives();
    await skiff.kill9();
    expect(processesOf(steady.uid, steady.id)).toBe(steady.process);
    await skiff.start();
    expectUnbroken(before, await lives());
    await rolledOut();
    await expectSteady(steady);
    await eventually(async () => expect(await curl()).toBe("two"));
    // The rollout may have been over when the server was killed: then nothing before this waited for its kubelet.
    await eventually(async () => expect(await kubectl("exec", "steady", "--", "echo", "hello")).toBe("hello\n"), { interval: 100 });
    const [, sequence] = /seq=(\d+)/.exec(await kubectl("logs", "steady", "--tail=1"))!;
    expect(Number(sequence)).toBeGreaterThan(5);
  });

  test("loses nothing that was answered, and a pod that ended meanwhile is reported", async () => {
    const { kubectl } = skiff;
    await kubectl.apply(pod("brief", shell("while ! test -e /data/stop; do sleep 0.1; done; exit 5", { volumeMounts: [{ name: "data", mountPath: "/data" }] }), { restartPolicy: "Never", volumes: [{ name: "data", emptyDir: {} }] }));
    await kubectl("wait", "--for=condition=Ready", "pod/brief", "--timeout=60s");
    const { metadata } = await kubectl.get("pod", "brief");
    await Promise.all(Array.from({ length: 20 }, (_, i) => kubectl("create", "configmap", `kept-${i}`)));
    await skiff.kill9();
    writeFileSync(join(skiff.layout.agentDir, "kubelet/pods", metadata.uid, "volumes/kubernetes.io~empty-dir/data/stop"), "");
    await skiff.start();
    expect((await kubectl.items("configmaps")).filter((item) => item.metadata.name.startsWith("kept-"))).toHaveLength(20);
    await kubectl.untilPod("brief", ({ phase }) => expect(phase).toBe("Failed"));
    expect((await kubectl.get("pod", "brief")).status.containerStatuses[0].state.terminated).toMatchObject({ exitCode: 5, reason: "Error" });
  });

  test("again and again, while pods come and go, leaves every pod with one container", async () => {
    const { kubectl } = skiff;
    await kubectl.apply(web("one"));
    for (const replicas of [5, 2, 6]) {
      await kubectl("scale", "deployment/web", `--replicas=${replicas}`);
      await skiff.kill9();
      await skiff.start();
    }
    await rolledOut();
    await eventually(async () => {
      expect(await kubectl.items("pods")).toHaveLength(6);
      const running = (await output(["ctr", "--address", join(skiff.layout.runDir, "containerd.sock"), "--namespace", "k8s.io", "tasks", "list"])).split("\n").filter((line) => line.includes("RUNNING"));
      expect(running).toHaveLength(12); // a sandbox and a container each
    }, { interval: 200 });
  });
});

describe("kill -9 of containerd", () => {
  test("in the middle of a rollout: it comes back, and running pods are left alone", async () => {
    const { kubectl } = skiff;
    const steady = await steadyPod();
    await kubectl.apply(web("one"), service("web"));
    await rolledOut();
    await kubectl.apply(web("two"));
    await eventually(async () => expect((await kubectl.get("deployment", "web")).status.updatedReplicas).toBeGreaterThan(0));
    const before = await lives(), containerd = skiff.containerdPid();
    process.kill(containerd, "SIGKILL");
    await eventually(() => expect(skiff.containerdPid()).not.toBe(containerd));
    expectUnbroken(before, await lives());
    await rolledOut();
    await skiff.untilNodeReady();
    await expectSteady(steady);
    await eventually(async () => expect(await curl()).toBe("two"));
    expect(await kubectl("exec", "steady", "--", "echo", "hello")).toBe("hello\n");
  });

  test("and of the server together, as when memory runs out", async () => {
    const steady = await steadyPod();
    const containerd = skiff.containerdPid();
    await skiff.kill9();
    process.kill(containerd, "SIGKILL");
    await skiff.start();
    await expectSteady(steady);
    await skiff.kubectl("delete", "pod", "steady", "--timeout=60s");
  });
});

describe("an orderly restart", () => {
  test("ends with exit code 0, leaves pods running, and finds the same cluster again", async () => {
    const { kubectl } = skiff;
    const steady = await steadyPod();
    const version = (await kubectl.get("pod", "steady")).metadata.resourceVersion as string;
    const watching = kubectl.start(["get", "pods", "--watch", "-o", "name"]);
    await watching.until(/pod\/steady/);
    expect(await skiff.stop()).toBe(0);
    await watching.stop();
    expect(processesOf(steady.uid, steady.id)).toBe(steady.process);
    expect(() => process.kill(skiff.containerdPid(), 0)).toThrow();
    await skiff.start();
    await expectSteady(steady);
    // A watch goes on from a version of before.
    await kubectl("label", "pod", "steady", "since=restart");
    const frames = kubectl.start(["get", "--raw", `/api/v1/namespaces/default/pods?watch=true&resourceVersion=${version}&timeoutSeconds=60`]);
    await frames.until(/"type":"MODIFIED".*"since":"restart"/);
    await frames.stop();
  });

  test("copes with the pid file and the socket of a containerd that is gone, and with a pid that is somebody else's now", async () => {
    const steady = await steadyPod();
    const containerd = skiff.containerdPid();
    await skiff.kill9();
    process.kill(containerd, "SIGKILL");
    const stranger = Bun.spawn(["sleep", "1000"]);
    writeFileSync(join(skiff.layout.runDir, "containerd.pid"), String(stranger.pid));
    expect(existsSync(join(skiff.layout.runDir, "containerd.sock"))).toBe(true);
    try {
      await skiff.start();
      await expectSteady(steady);
      expect(stranger.exitCode).toBeNull();
    } finally {
      stranger.kill();
    }
  });
});
