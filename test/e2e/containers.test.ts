import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { skiffForThisFile } from "../support/e2e.ts";
import { eventually } from "../support/eventually.ts";
import type { KubeJson } from "../support/kubectl.ts";
import { pod, shell } from "../support/workloads.ts";

const skiff = await skiffForThisFile();
const { kubectl } = skiff;

const statusOf = async (name: string): Promise<KubeJson> => (await kubectl.get("pod", name)).status;
/** Waits until the pod's first container satisfies `check`. */
const container = (name: string, check: (status: KubeJson) => void): Promise<KubeJson> => kubectl.untilPod(name, ({ containerStatuses }) => check(containerStatuses[0])).then(({ containerStatuses }) => containerStatuses[0]);
const ready = (...names: string[]): Promise<string> => kubectl("wait", "--for=condition=Ready", ...names.map((name) => `pod/${name}`), "--timeout=90s");
/** Ready is a container that runs; what it writes first may come a moment after. */
const logs = (name: string, check: (text: string) => void): Promise<void> => eventually(async () => check(await kubectl("logs", name)), { interval: 100 });
const finished = (name: string, phase = "Succeeded"): Promise<KubeJson> => kubectl.untilPod(name, (status) => expect(status.phase).toBe(phase));

describe("ends", () => {
  test("a container that crashes again and again is in CrashLoopBackOff, with its last exit", async () => {
    await kubectl.apply(pod("crasher", shell("echo oh no; exit 3")));
    const status = await container("crasher", ({ restartCount, state }) => {
      expect(restartCount).toBeGreaterThan(1);
      expect(state.waiting?.reason).toBe("CrashLoopBackOff");
    });
    expect(status).toMatchObject({ ready: false, started: false, lastState: { terminated: { exitCode: 3, reason: "Error" } } });
    expect(status.state.waiting.message).toMatch(/^back-off 20s restarting failed container=main pod=crasher_default\(/);
    expect(await kubectl("get", "pod", "crasher")).toMatch(/crasher +0\/1 +CrashLoopBackOff +2 \(\d+s ago\)/);
    await eventually(async () => expect(await kubectl.eventsOf("crasher")).toMatch(/Warning +BackOff .*Back-off restarting failed container main in pod crasher_default/));
    expect(await kubectl("logs", "crasher", "--previous")).toBe("oh no\n");
  });

  test("containers that end at once, many at a time, are all seen to end", async () => {
    const names = Array.from({ length: 8 }, (_, i) => `flash-${i}`);
    await kubectl.apply(...names.map((name) => pod(name, shell("exit 0"))));
    await eventually(async () => {
      // They come and go at their own pace: the first may be in its third life when the last has ended once.
      for (const { status: { containerStatuses: [status] } } of await kubectl.items("pods", ...names)) {
        expect(status.restartCount).toBeGreaterThan(0);
        expect(status.lastState.terminated).toMatchObject({ exitCode: 0, reason: "Completed" });
      }
    }, { timeout: 90_000, interval: 200 });
    await kubectl("delete", "pods", ...names);
  });

  test("a container that takes more memory than its limit is OOMKilled", async () => {
    const data = { volumeMounts: [{ name: "data", mountPath: "/data" }] };
    await kubectl.apply(pod("hungry", shell("until [ -e /data/eat ]; do sleep 0.1; done; exec tail /dev/zero", { resources: { limits: { memory: "24Mi" } }, ...data }), { restartPolicy: "Never", volumes: [{ name: "data", emptyDir: {} }] }));
    // containerd listens for it once the container runs: of one that is killed within its first milliseconds it may not hear why.
    await kubectl.untilPod("hungry", ({ containerStatuses }) => expect(containerStatuses[0].state).toHaveProperty("running"));
    const { metadata } = await kubectl.get("pod", "hungry");
    writeFileSync(join(skiff.layout.agentDir, "kubelet/pods", metadata.uid, "volumes/kubernetes.io~empty-dir/data/eat"), "");
    await finished("hungry", "Failed");
    expect((await statusOf("hungry")).containerStatuses[0].state.terminated).toMatchObject({ reason: "OOMKilled", exitCode: 137 });
    expect(await kubectl("get", "pod", "hungry")).toMatch(/hungry +0\/1 +OOMKilled +0/);
  });

  test("restart policies: Never leaves Succeeded and Failed, OnFailure tries again", async () => {
    await kubectl.apply(
      pod("good", shell("exit 0"), { restartPolicy: "Never" }), pod("bad", shell("exit 4"), { restartPolicy: "Never" }),
      pod("stubborn", shell("test -e /data/tried && exit 0; touch /data/tried; exit 1", { volumeMounts: [{ name: "data", mountPath: "/data" }] }), { restartPolicy: "OnFailure", volumes: [{ name: "data", emptyDir: {} }] }),
    );
    await Promise.all([finished("good"), finished("bad", "Failed"), finished("stubborn")]);
    expect((await statusOf("good")).containerStatuses[0].state.terminated).toMatchObject({ exitCode: 0, reason: "Completed" });
    expect((await statusOf("bad")).containerStatuses[0].state.terminated).toMatchObject({ exitCode: 4, reason: "Error" });
    expect((await statusOf("stubborn")).containerStatuses[0].restartCount).toBe(1);
    expect(await kubectl("get", "pod", "good")).toMatch(/good +0\/1 +Completed +0/);
  });

  test("the termination message comes from its file, or from the log", async () => {
    await kubectl.apply(
      pod("speaker", shell("echo -n 'disk is full' > /dev/termination-log; exit 1"), { restartPolicy: "Never" }),
      pod("logger", shell("echo last words; exit 1", { terminationMessagePolicy: "FallbackToLogsOnError" }), { restartPolicy: "Never" }),
    );
    await Promise.all([finished("speaker", "Failed"), finished("logger", "Failed")]);
    expect((await statusOf("speaker")).containerStatuses[0].state.terminated.message).toBe("disk is full");
    expect((await statusOf("logger")).containerStatuses[0].state.terminated.message).toBe("last words\n");
  });

  test("an image that is nowhere, and a program that is not in it", async () => {
    await kubectl.apply(pod("imageless", { ...shell("true"), image: "localhost/nothing:1", imagePullPolicy: "Never" }), pod("programless", { ...shell(""), command: ["/no/such/program"] }, { restartPolicy: "Never" }));
    await container("imageless", ({ state }) => expect(state.waiting).toMatchObject({ reason: "ErrImageNeverPull" }));
    const failed = await container("programless", ({ state }) => expect(state.terminated?.exitCode).toBe(128));
    expect(failed.state.terminated).toMatchObject({ reason: expect.stringMatching(/^(StartError|ContainerCannotRun)$/), message: expect.stringContaining("/no/such/program") });
  });

  test("a deleted pod gets its hook, SIGTERM and time to end", async () => {
    await kubectl.apply(pod("polite", shell("trap 'echo asked to stop; sleep 1; echo bye; exit 0' TERM; echo up; while true; do sleep 0.1; done", { lifecycle: { preStop: { exec: { command: ["sh", "-c", "echo hook > /proc/1/fd/1"] } } } }), { terminationGracePeriodSeconds: 20 }));
    await ready("polite");
    const following = kubectl.start(["logs", "-f", "polite"]);
    await following.until(/up\n/);
    const start = performance.now();
    await kubectl("delete", "pod", "polite");
    // Its second of sleep, not the twenty that it may take.
    expect(performance.now() - start).toBeWithin(1000, 20_000);
    expect(await following.exited).toBe(0);
    expect(following.text()).toBe("up\nhook\nasked to stop\nbye\n");
  });
});

describe("several containers", () => {
  test("init containers run to their end one after another, before the others", async () => {
    const mount = { volumeMounts: [{ name: "data", mountPath: "/data" }] };
    await kubectl.apply(pod("staged", shell("echo main >> /data/log; cat /data/log; sleep 1000", mount), {
      volumes: [{ name: "data", emptyDir: {} }],
      initContainers: [shell("sleep 0.5; echo first >> /data/log", { name: "first", ...mount }), shell("echo second >> /data/log", { name: "second", ...mount })],
    }));
    await ready("staged");
    await logs("staged", (text) => expect(text).toBe("first\nsecond\nmain\n"));
    const { conditions, initContainerStatuses } = await statusOf("staged");
    expect(conditions.find(({ type }: KubeJson) => type === "Initialized").status).toBe("True");
    expect(initContainerStatuses.map((status: KubeJson) => status.state.terminated.reason)).toEqual(["Completed", "Completed"]);
  });

  test("a failing init container holds the pod back", async () => {
    await kubectl.apply(pod("held", shell("sleep 1000"), { initContainers: [shell("exit 1", { name: "gate" })] }));
    await eventually(async () => expect(await kubectl("get", "pod", "held")).toMatch(/held +0\/1 +Init:(Error|CrashLoopBackOff) +\d/), { timeout: 60_000, interval: 200 });
    expect((await statusOf("held")).phase).toBe("Pending");
  });

  test("containers of a pod share the network and, when asked, the processes", async () => {
    await kubectl.apply(pod("pair", shell("sleep 1000"), { shareProcessNamespace: true, containers: [shell("sleep 1234"), shell("mkdir -p /w; echo beside > /w/index.html; httpd -f -p 8080 -h /w", { name: "beside" })] }));
    await ready("pair");
    await eventually(async () => expect(await kubectl("exec", "pair", "-c", "main", "--", "wget", "-q", "-O-", "http://127.0.0.1:8080/")).toBe("beside\n"), { interval: 100 });
    expect(await kubectl("exec", "pair", "-c", "beside", "--", "ps")).toContain("sleep 1234");
  });
});

describe("probes", () => {
  test("readiness comes and goes; liveness restarts; a startup probe holds both back", async () => {
    // A busy machine may take more than a second to run a command in a container.
    const file = (path: string): object => ({ exec: { command: ["test", "-e", path] }, periodSeconds: 1, timeoutSeconds: 20, failureThreshold: 1 });
    await kubectl.apply(pod("probed", shell("rm -f /tmp/started /tmp/ready; touch /tmp/alive; sleep 1; touch /tmp/started; sleep 1000", {
      startupProbe: { ...file("/tmp/started"), failureThreshold: 60 }, readinessProbe: file("/tmp/ready"), livenessProbe: file("/tmp/alive"),
    })));
    await container("probed", ({ started, ready }) => expect({ started, ready }).toEqual({ started: true, ready: false }));
    await kubectl("exec", "probed", "--", "touch", "/tmp/ready");
    await ready("probed");
    await kubectl("exec", "probed", "--", "rm", "/tmp/ready");
    await kubectl("wait", "--for=condition=Ready=false", "pod/probed", "--timeout=90s");
    await kubectl("exec", "probed", "--", "rm", "/tmp/alive");
    const status = await container("probed", ({ restartCount }) => expect(restartCount).toBe(1));
    expect(status.lastState.terminated.exitCode).toBe(137);
    await eventually(async () => {
      const events = await kubectl.eventsOf("probed");
      expect(events).toMatch(/Warning +Unhealthy .*Liveness probe failed/);
      expect(events).toMatch(/Normal +Killing .*Container main failed liveness probe, will be restarted/);
    }, { interval: 200 });
  });

  test("by HTTP and by TCP", async () => {
    await kubectl.apply(pod("served", shell("mkdir /w; echo ok > /w/healthz; httpd -f -p 8080 -h /w", {
      ports: [{ name: "web", containerPort: 8080 }], livenessProbe: { httpGet: { path: "/healthz", port: "web" }, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 30 }, readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
    })), pod("unserved", shell("sleep 1000", { readinessProbe: { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 } })));
    await ready("served");
    await eventually(async () => expect(await kubectl.eventsOf("unserved")).toMatch(/Unhealthy .*Readiness probe failed: Get "http:\/\/10\.42\.0\.\d+:8080\/": .*connection refused/), { timeout: 60_000, interval: 300 });
    expect((await statusOf("served")).containerStatuses[0].restartCount).toBe(0);
  });
});

describe("surroundings", () => {
  test("environment from values, fields, resources, ConfigMaps, Secrets and Services", async () => {
    await kubectl("create", "configmap", "env-map", "--from-literal=COLOUR=blue", "--from-literal=SIZE=10");
    await kubectl("create", "secret", "generic", "env-secret", "--from-literal=password=geheim");
    await kubectl.apply(pod("envy", shell("env; sleep 1000", {
      resources: { requests: { cpu: "50m" }, limits: { memory: "64Mi" } },
      envFrom: [{ configMapRef: { name: "env-map" } }, { prefix: "S_", secretRef: { name: "env-secret" } }, { configMapRef: { name: "missing", optional: true } }],
      env: [
        { name: "PLAIN", value: "value" }, { name: "COMPOSED", value: "$(PLAIN)-$(COLOUR)-$(NOWHERE)-$$(PLAIN)" },
        { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }, { name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } }, { name: "APP", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
        { name: "MEMORY", valueFrom: { resourceFieldRef: { resource: "limits.memory" } } }, { name: "CPU", valueFrom: { resourceFieldRef: { resource: "requests.cpu", divisor: "1m" } } },
        { name: "ONE", valueFrom: { configMapKeyRef: { name: "env-map", key: "SIZE" } } }, { name: "SECRET", valueFrom: { secretKeyRef: { name: "env-secret", key: "password" } } },
      ],
    })));
    await ready("envy");
    await logs("envy", (text) => expect(Object.fromEntries(text.trim().split("\n").map((line) => line.split(/=(.*)/s).slice(0, 2)))).toMatchObject({
      COLOUR: "blue", SIZE: "10", S_password: "geheim", PLAIN: "value", COMPOSED: "value-blue-$(NOWHERE)-$(PLAIN)", NODE: "node-1", APP: "envy", POD_IP: expect.stringMatching(/^10\.42\.0\.\d+$/),
      MEMORY: String(64 * 1024 * 1024), CPU: "50", ONE: "10", SECRET: "geheim", KUBERNETES_SERVICE_HOST: "10.43.0.1", KUBERNETES_SERVICE_PORT: "443", HOSTNAME: "envy",
    }));
  });

  test("a missing ConfigMap is an error the user can read, and mend", async () => {
    await kubectl.apply(pod("waiting", shell("echo $COLOUR; sleep 1000", { envFrom: [{ configMapRef: { name: "late-map" } }] })));
    await container("waiting", ({ state }) => expect(state.waiting).toMatchObject({ reason: "CreateContainerConfigError", message: 'configmap "late-map" not found' }));
    await kubectl("create", "configmap", "late-map", "--from-literal=COLOUR=late");
    await ready("waiting");
    await logs("waiting", (text) => expect(text).toBe("late\n"));
  });

  test("security contexts: user, read-only root, capabilities", async () => {
    await kubectl.apply(pod("secured", shell("id -u; id -g; touch /x 2>&1; grep CapEff /proc/self/status; sleep 1000", { securityContext: { runAsUser: 1234, runAsGroup: 2345, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] }, allowPrivilegeEscalation: false } })),
      pod("rootless", shell("true", { securityContext: { runAsNonRoot: true } })));
    await ready("secured");
    await logs("secured", (text) => expect(text).toMatch(/^1234\n2345\ntouch: \/x: Read-only file system\nCapEff:\s0{16}\n$/));
    await container("rootless", ({ state }) => expect(state.waiting).toMatchObject({ reason: "CreateContainerConfigError", message: expect.stringContaining("container has runAsNonRoot and image will run as root") }));
  });

  test("requests and limits are in the cgroups, of the container and of the pod", async () => {
    await kubectl.apply(pod("limited", shell("sleep 1000", { resources: { requests: { cpu: "100m", memory: "32Mi" }, limits: { cpu: "200m", memory: "64Mi" } } })));
    await ready("limited");
    const { metadata, status } = await kubectl.get("pod", "limited");
    expect(status.qosClass).toBe("Burstable");
    const group = `${skiff.layout.instance}/burstable/pod${metadata.uid}`;
    const id = status.containerStatuses[0].containerID.replace("containerd://", "");
    const v2 = existsSync("/sys/fs/cgroup/cgroup.controllers");
    const read = (controller: string, path: string, file: string): string => readFileSync(join("/sys/fs/cgroup", v2 ? "" : controller, path, file), "utf8").trim();
    for (const path of [group, join(group, id)]) {
      expect(read("memory", path, v2 ? "memory.max" : "memory.limit_in_bytes")).toBe(String(64 * 1024 * 1024));
      expect(v2 ? read("", path, "cpu.max") : `${read("cpu", path, "cpu.cfs_quota_us")} ${read("cpu", path, "cpu.cfs_period_us")}`).toBe("20000 100000");
    }
    if (!v2) expect(read("cpu", join(group, id), "cpu.shares")).toBe("102");
    await kubectl("delete", "pod", "limited");
    await eventually(() => expect(existsSync(join("/sys/fs/cgroup", v2 ? "" : "memory", group))).toBe(false));
  });

  test("a pod that fits nowhere says why", async () => {
    await kubectl.apply(pod("huge", shell("true", { resources: { requests: { cpu: "1000" } } })), pod("picky", shell("true"), { nodeSelector: { disk: "ssd" } }));
    await eventually(async () => {
      const message = async (name: string): Promise<string> => (await statusOf(name)).conditions?.find(({ type }: KubeJson) => type === "PodScheduled")?.message;
      expect(await message("huge")).toMatch(/^0\/1 nodes are available: 1 Insufficient cpu\./);
      expect(await message("picky")).toMatch(/^0\/1 nodes are available: 1 node\(s\) didn't match Pod's node affinity\/selector\./);
    });
    await kubectl("label", "node", "node-1", "disk=ssd");
    await container("picky", ({ state, lastState }) => expect(state.terminated ?? lastState.terminated).toMatchObject({ exitCode: 0 }));
  });
});
