import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { configmaps, nodes, pods, secrets } from "../../src/apis/builtins.ts";
import type { Pod } from "../../src/apis/generated/core/v1.ts";
import { eventually } from "../support/eventually.ts";
import { startImageRegistry } from "../support/image-registry.ts";
import { busyboxImage, busyboxReference } from "../support/images.ts";
import { startKubeletNode, type KubeletNode } from "../support/kubelet-node.ts";

setDefaultTimeout(180_000);
let node: KubeletNode;
beforeAll(async () => {
  node = await startKubeletNode();
});
afterAll(() => node?.[Symbol.asyncDispose]());

const forever = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"];

test("the node registers itself and is Ready", async () => {
  const found = await node.client.get(nodes, { name: "node-1" });
  expect(found.status?.conditions?.find(({ type }) => type === "Ready")).toMatchObject({ status: "True", reason: "KubeletReady" });
  expect(found.metadata.labels).toMatchObject({ "kubernetes.io/hostname": "node-1", "kubernetes.io/os": "linux" });
  expect(found.status?.nodeInfo?.containerRuntimeVersion).toStartWith("containerd://");
});

test("a pod runs, has an address, and leaves nothing behind", async () => {
  await node.createPod("simple", { containers: [{ name: "main", command: forever }] });
  const pod = await node.podWhen("simple", ({ status }) => status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True"));
  expect(pod.status).toMatchObject({ phase: "Running", qosClass: "BestEffort", hostIP: "10.0.0.1" });
  expect(pod.status?.podIP).toMatch(/^10\.97\./);
  expect(pod.status?.containerStatuses?.[0]).toMatchObject({ name: "main", ready: true, started: true, restartCount: 0 });
  expect(pod.status?.containerStatuses?.[0]?.containerID).toStartWith("containerd://");
  const reasons = (await eventually(async () => {
    const all = await node.events("simple");
    if (all.length < 3) throw new Error("too few");
    return all;
  })).map(({ reason }) => reason);
  expect(reasons).toEqual(["Pulled", "Created", "Started"]);

  await node.client.delete(pods, { namespace: "default", name: "simple" });
  await node.gone("simple");
  const uid = pod.metadata.uid!;
  await eventually(() => {
    expect(existsSync(join(node.rootDir, "pods", uid))).toBe(false);
    expect(existsSync(join(node.logDir, `default_simple_${uid}`))).toBe(false);
    expect(existsSync(`/sys/fs/cgroup/memory${node.cgroupRoot}/besteffort/pod${uid}`)).toBe(false);
  });
  await eventually(async () => {
    const { items = [] } = await node.containerd.runtime.runtime.listPodSandbox({ filter: { labelSelector: { "io.kubernetes.pod.uid": uid } } });
    expect(items).toEqual([]);
  });
});

const terminated = (name: string) => (pod: Pod): boolean | undefined => pod.status?.containerStatuses?.some((status) => status.name === name && status.state?.terminated);
const logOf = async (pod: string, container: string, query = ""): Promise<string> => (await node.logs(`/containerLogs/default/${pod}/${container}${query}`)).body;

test("environment, volumes and the token, as the container sees them", async () => {
  await node.client.create(configmaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "settings", namespace: "default" }, data: { color: "blue", size: "9" } });
  await node.client.create(configmaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "kube-root-ca.crt", namespace: "default" }, data: { "ca.crt": "the ca" } });
  await node.client.create(secrets, { apiVersion: "v1", kind: "Secret", metadata: { name: "keys", namespace: "default" }, data: { key: btoa("s3cret") } });
  await node.createPod("inside", {
    restartPolicy: "Never", automountServiceAccountToken: true, hostname: "inner", subdomain: "group", hostAliases: [{ ip: "1.2.3.4", hostnames: ["alias"] }],
    securityContext: { fsGroup: 2000 },
    volumes: [
      { name: "config", configMap: { name: "settings", items: [{ key: "color", path: "deep/colour", mode: 0o400 }] } }, { name: "secret", secret: { secretName: "keys" } },
      { name: "scratch", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } }, { name: "about", downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] } },
    ],
    containers: [{
      name: "main", command: ["sh", "-c"],
      args: ["echo '$(GREETING)' color=$COLOR key=$KEY ip=$IP cpu=$CPU prefixed=$P_size; cat /config/deep/colour /secret/key /about/labels; echo; cat /var/run/secrets/kubernetes.io/serviceaccount/token; echo; hostname; grep -E 'alias|inner' /etc/hosts; cat /etc/resolv.conf; stat -c '%a %g' /scratch; grep /scratch /proc/mounts; cat /one; id -u; grep -E 'NoNewPrivs|CapEff' /proc/self/status"],
      env: [
        { name: "WHO", value: "world" }, { name: "GREETING", value: "hello-$(WHO)-$$(WHO)" }, { name: "COLOR", valueFrom: { configMapKeyRef: { name: "settings", key: "color" } } },
        { name: "KEY", valueFrom: { secretKeyRef: { name: "keys", key: "key" } } }, { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
        { name: "CPU", valueFrom: { resourceFieldRef: { resource: "limits.cpu", divisor: "1m" } } },
      ],
      envFrom: [{ prefix: "P_", configMapRef: { name: "settings" } }],
      resources: { limits: { cpu: "250m", memory: "64Mi" } },
      securityContext: { runAsUser: 1000, allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      volumeMounts: [
        { name: "config", mountPath: "/config" }, { name: "secret", mountPath: "/secret", readOnly: true }, { name: "scratch", mountPath: "/scratch" }, { name: "about", mountPath: "/about" },
        { name: "secret", mountPath: "/one", subPath: "key" },
      ],
    }],
  }, { name: "inside", labels: { app: "inside" } });
  const pod = await node.podWhen("inside", ({ status }) => status?.phase === "Succeeded");
  expect(pod.status?.qosClass).toBe("Guaranteed");
  const log = await logOf("inside", "main");
  expect(log).toContain(`hello-world-$(WHO) color=blue key=s3cret ip=${pod.status?.podIP} cpu=250 prefixed=9\n`);
  expect(log).toContain('blues3cretapp="inside"\n');
  expect(log).toContain("token-for-36");
  expect(log).toContain("\ninner\n");
  expect(log).toContain("1.2.3.4\talias\n");
  expect(log).toContain(`${pod.status?.podIP}\tinner.group.default.svc.cluster.local\tinner\n`);
  expect(log).toContain("search default.svc.cluster.local svc.cluster.local cluster.local");
  expect(log).toContain("nameserver 10.43.0.10");
  expect(log).toContain("3777 2000\n");
  expect(log).toMatch(/tmpfs \/scratch tmpfs .*size=1024k/);
  expect(log).toMatch(/s3cret1000\nCapEff:\s+0000000000000000\nNoNewPrivs:\s+1\n/);
});

test("a ConfigMap's change reaches the running container", async () => {
  await node.client.create(configmaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "moving", namespace: "default" }, data: { value: "one" } });
  await node.createPod("watcher", {
    restartPolicy: "Never", volumes: [{ name: "config", configMap: { name: "moving" } }],
    containers: [{ name: "main", command: ["sh", "-c", "until grep -q two /config/value; do sleep 0.05; done"], volumeMounts: [{ name: "config", mountPath: "/config" }] }],
  });
  await node.podWhen("watcher", ({ status }) => status?.phase === "Running");
  await node.client.patch(configmaps, { namespace: "default", name: "moving" }, { type: "application/merge-patch+json", body: { data: { value: "two" } } });
  await node.podWhen("watcher", ({ status }) => status?.phase === "Succeeded");
});

test("a missing ConfigMap holds the container back, in Kubernetes' words, until it appears", async () => {
  await node.createPod("waiting", { restartPolicy: "Never", containers: [{ name: "main", command: ["true"], env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "later", key: "a" } } }] }] });
  const held = await node.podWhen("waiting", ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === "CreateContainerConfigError");
  expect(held.status?.containerStatuses?.[0]?.state?.waiting?.message).toBe('configmap "later" not found');
  await node.client.create(configmaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "later", namespace: "default" }, data: { a: "1" } });
  await node.podWhen("waiting", ({ status }) => status?.phase === "Succeeded");
});

test("init containers run in order before the others, sidecars beside them", async () => {
  await node.createPod("ordered", {
    restartPolicy: "Never", volumes: [{ name: "shared", emptyDir: {} }],
    initContainers: [
      { name: "first", command: ["sh", "-c", "echo first >> /shared/order"], volumeMounts: [{ name: "shared", mountPath: "/shared" }] },
      { name: "side", restartPolicy: "Always", command: ["sh", "-c", "echo side >> /shared/order; trap 'exit 0' TERM; while :; do sleep 0.1; done"], volumeMounts: [{ name: "shared", mountPath: "/shared" }] },
      { name: "second", command: ["sh", "-c", "until grep -q side /shared/order; do sleep 0.02; done; echo second >> /shared/order"], volumeMounts: [{ name: "shared", mountPath: "/shared" }] },
    ],
    containers: [{ name: "main", command: ["sh", "-c", "cat /shared/order"], volumeMounts: [{ name: "shared", mountPath: "/shared" }] }],
  });
  const pod = await node.podWhen("ordered", ({ status }) => status?.phase === "Succeeded");
  expect(await logOf("ordered", "main")).toBe("first\nside\nsecond\n");
  expect(pod.status?.initContainerStatuses?.map(({ state }) => state?.terminated?.exitCode)).toEqual([0, 0, 0]);
  expect(pod.status?.conditions?.find(({ type }) => type === "Initialized")).toMatchObject({ status: "True", reason: "PodCompleted" });
});

test("a failed init container fails a pod that never restarts", async () => {
  await node.createPod("init-fails", { restartPolicy: "Never", initContainers: [{ name: "bad", command: ["sh", "-c", "exit 3"] }], containers: [{ name: "main", command: ["true"] }] });
  const pod = await node.podWhen("init-fails", ({ status }) => status?.phase === "Failed");
  expect(pod.status?.initContainerStatuses?.[0]?.state?.terminated).toMatchObject({ exitCode: 3, reason: "Error" });
  expect(pod.status?.containerStatuses?.[0]?.state?.waiting?.reason).toBe("PodInitializing");
});

test("a crashing container backs off and keeps its last run", async () => {
  await node.createPod("crasher", { containers: [{ name: "main", command: ["sh", "-c", "echo run; echo the reason > /dev/termination-log; exit 1"] }] });
  const pod = await node.podWhen("crasher", ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === "CrashLoopBackOff");
  const status = pod.status?.containerStatuses?.[0];
  expect(status).toMatchObject({ restartCount: 1, ready: false, lastState: { terminated: { exitCode: 1, reason: "Error", message: "the reason\n" } } });
  expect(status?.state?.waiting?.message).toStartWith("back-off 10s restarting failed container=main pod=crasher_default(");
  expect(pod.status?.phase).toBe("Running");
  expect(await logOf("crasher", "main", "?previous=true")).toBe("run\n");
  await node.client.delete(pods, { namespace: "default", name: "crasher" });
  await node.gone("crasher");
});

test("out of memory is told as OOMKilled", async () => {
  const out = join(node.rootDir, "eat");
  mkdirSync(out);
  await node.createPod("hungry", {
    restartPolicy: "Never", volumes: [{ name: "eat", hostPath: { path: out } }],
    containers: [{ name: "main", command: ["sh", "-c", "until [ -e /eat/now ]; do sleep 0.1; done; exec tail /dev/zero"], resources: { limits: { memory: "16Mi" } }, volumeMounts: [{ name: "eat", mountPath: "/eat" }] }],
  });
  // containerd listens for it once the container runs: of one that is killed within its first milliseconds it may not hear why.
  await node.podWhen("hungry", ({ status }) => status?.containerStatuses?.[0]?.state?.running !== undefined);
  writeFileSync(join(out, "now"), "");
  const pod = await node.podWhen("hungry", terminated("main"));
  expect(pod.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({ reason: "OOMKilled", exitCode: 137 });
});

test("an image that is not there: ErrImagePull, then back-off, then running when it appears", async () => {
  await node.createPod("imageless", { restartPolicy: "Never", containers: [{ name: "main", image: "localhost/later:1", command: ["true"] }, { name: "never", imagePullPolicy: "Never", image: "localhost/absent:1" }] });
  const pod = await node.podWhen("imageless", ({ status }) => ["ErrImagePull", "ImagePullBackOff"].includes(status?.containerStatuses?.[0]?.state?.waiting?.reason ?? ""));
  expect(pod.status?.containerStatuses?.[1]?.state?.waiting).toEqual({ reason: "ErrImageNeverPull", message: 'Container image "localhost/absent:1" is not present with pull policy of Never' });
  // After the error itself, kubectl shows the wait for the next try.
  const waiting = await node.podWhen("imageless", ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === "ImagePullBackOff");
  expect(waiting.status?.containerStatuses?.[0]?.state?.waiting?.message).toStartWith('Back-off pulling image "localhost/later:1": ErrImagePull: ');
  writeFileSync(join(node.containerd.directory, "images/later.tar"), await busyboxImage("localhost/later:1"));
  await eventually(async () => {
    if (await node.containerd.importer.importAll() === "settling") throw new Error("the image is not imported");
  });
  node.kubelet.imagesChanged();
  await node.podWhen("imageless", terminated("main"));
});

test("images come from a registry, private ones with the pod's pull secrets", async () => {
  using registry = await startImageRegistry(await busyboxImage(busyboxReference, "from a registry\n"), { username: "edge", password: "pass:word" });
  const auths = { [registry.host]: { auth: btoa("edge:pass:word") } };
  await node.client.create(secrets, { apiVersion: "v1", kind: "Secret", metadata: { name: "pull", namespace: node.namespace }, type: "kubernetes.io/dockerconfigjson", data: { ".dockerconfigjson": btoa(JSON.stringify({ auths })) } });
  const containerOf = (repository: string) => [{ name: "main", image: `${registry.host}/${repository}:1`, command: ["true"] }];
  await node.createPod("stranger", { restartPolicy: "Never", containers: containerOf("private/app") });
  const refused = await node.podWhen("stranger", ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === "ErrImagePull");
  expect(refused.status?.containerStatuses?.[0]?.state?.waiting?.message).toContain("401 Unauthorized");
  await node.createPod("friend", { restartPolicy: "Never", imagePullSecrets: [{ name: "pull" }], containers: containerOf("private/app") });
  await node.createPod("anybody", { restartPolicy: "Never", containers: containerOf("public/app") });
  for (const name of ["friend", "anybody"]) expect((await node.podWhen(name, terminated("main"))).status?.phase).toBe("Succeeded");
});

test("liveness restarts, readiness gates, startup holds both back", async () => {
  await node.createPod("probed", {
    containers: [{
      name: "main", command: ["sh", "-c", "touch /tmp/started; while :; do sleep 0.1; done"],
      startupProbe: { exec: { command: ["test", "-e", "/tmp/started"] }, timeoutSeconds: 20, periodSeconds: 1, failureThreshold: 10 },
      livenessProbe: { exec: { command: ["sh", "-c", "! test -e /tmp/sick"] }, timeoutSeconds: 20, periodSeconds: 1, failureThreshold: 1 },
      readinessProbe: { tcpSocket: { port: 8080 }, timeoutSeconds: 20, periodSeconds: 1, failureThreshold: 1 },
    }],
  });
  const unready = await node.podWhen("probed", ({ status }) => status?.containerStatuses?.[0]?.started);
  expect(unready.status?.conditions?.find(({ type }) => type === "Ready")).toMatchObject({ status: "False", reason: "ContainersNotReady", message: "containers with unready status: [main]" });
  const exec = (cmd: string[]) => node.containerd.runtime.runtime.execSync({ containerId: unready.status!.containerStatuses![0]!.containerID!.slice("containerd://".length), cmd, timeout: 60 });
  await exec(["sh", "-c", "nc -ll -p 8080 -e true >/dev/null 2>&1 &"]);
  await node.podWhen("probed", ({ status }) => status?.containerStatuses?.[0]?.ready);
  await exec(["touch", "/tmp/sick"]);
  const restarted = await node.podWhen("probed", ({ status }) => status?.containerStatuses?.[0]?.restartCount === 1 && status.containerStatuses[0].started);
  expect(restarted.status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode).toBe(137);
  await eventually(async () => expect((await node.events("probed")).map(({ message }) => message)).toContain("Container main failed liveness probe, will be restarted"));
});

test("deletion runs preStop, then TERM, within the grace period", async () => {
  await node.createPod("graceful", {
    terminationGracePeriodSeconds: 60, volumes: [{ name: "out", hostPath: { path: join(node.rootDir, "out"), type: "DirectoryOrCreate" } }],
    containers: [{
      name: "main", command: ["sh", "-c", "trap 'echo term >> /out/order; exit 0' TERM; while :; do sleep 0.05; done"],
      lifecycle: { postStart: { exec: { command: ["sh", "-c", "echo post >> /out/order"] } }, preStop: { exec: { command: ["sh", "-c", "echo pre >> /out/order"] } } }, volumeMounts: [{ name: "out", mountPath: "/out" }],
    }],
  });
  await node.podWhen("graceful", ({ status }) => status?.phase === "Running");
  await node.client.delete(pods, { namespace: "default", name: "graceful" });
  await node.gone("graceful");
  expect(readFileSync(join(node.rootDir, "out/order"), "utf8")).toBe("post\npre\nterm\n");
});

test("a deadline ends the pod", async () => {
  await node.createPod("late", { activeDeadlineSeconds: 1, containers: [{ name: "main", command: forever }] });
  const pod = await node.podWhen("late", ({ status }) => status?.phase === "Failed");
  expect(pod.status).toMatchObject({ reason: "DeadlineExceeded", message: "Pod was active on the node longer than the specified deadline" });
});

test("a new kubelet adopts running pods, ends orphans and cleans up", async () => {
  await node.createPod("adopted", { containers: [{ name: "main", command: forever }] });
  const before = await node.podWhen("adopted", ({ status }) => status?.containerStatuses?.[0]?.ready);
  await node.restartKubelet();
  await node.createPod("probe-of-life", { restartPolicy: "Never", containers: [{ name: "main", command: ["true"] }] });
  await node.podWhen("probe-of-life", ({ status }) => status?.phase === "Succeeded");
  const after = await node.pod("adopted");
  expect(after.status?.containerStatuses?.[0]).toEqual(before.status!.containerStatuses![0]!);
  expect(after.status?.podIP).toBe(before.status!.podIP!);
});

test("logs: tail, timestamps, limits and following to the end", async () => {
  await node.createPod("talker", { restartPolicy: "Never", containers: [{ name: "main", command: ["sh", "-c", "for i in 1 2 3; do echo line $i; done; until [ -e /tmp/told ]; do sleep 0.1; done; echo last"] }] });
  const { status } = await node.podWhen("talker", ({ status: now }) => now?.phase === "Running");
  const followed = logOf("talker", "main", "?follow=true");
  await node.containerd.runtime.runtime.execSync({ containerId: status!.containerStatuses![0]!.containerID!.slice("containerd://".length), cmd: ["touch", "/tmp/told"], timeout: 60 });
  expect(await followed).toBe("line 1\nline 2\nline 3\nlast\n");
  expect(await logOf("talker", "main", "?tailLines=2")).toBe("line 3\nlast\n");
  expect(await logOf("talker", "main", "?limitBytes=6")).toBe("line 1");
  expect(await logOf("talker", "main", "?tailLines=1&timestamps=true")).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z? ?\S*last\n$|^\S+ last\n$/);
  expect((await node.logs("/containerLogs/default/talker/other")).status).toBe(404);
  expect((await node.logs("/containerLogs/default/talker/main?previous=true")).body).toBe('previous terminated container "main" in pod "talker" not found');
});

test("a command that is not there is told as such", async () => {
  await node.createPod("typo", { restartPolicy: "Never", containers: [{ name: "main", command: ["/no/such"] }] });
  const pod = await node.podWhen("typo", ({ status }) => status?.phase === "Failed");
  expect(pod.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({ reason: "StartError", exitCode: 128 });
  await eventually(async () => expect((await node.events("typo")).map(({ message }) => message!).find((message) => message.startsWith("Error: "))).toMatch(/^Error: failed to create .*"\/no\/such"/));
});

test("containerd killed: pods run on, and their later ends are noticed", async () => {
  await node.createPod("survivor", { restartPolicy: "Never", containers: [{ name: "main", command: forever }] });
  const before = await node.podWhen("survivor", ({ status }) => status?.containerStatuses?.[0]?.ready);
  process.kill(Number(readFileSync(join(node.containerd.directory, "containerd.pid"), "utf8")), "SIGKILL");
  const { runtime } = node.containerd.runtime;
  await eventually(() => runtime.version({}), { interval: 100 });
  await node.createPod("after-crash", { restartPolicy: "Never", containers: [{ name: "main", command: ["true"] }] });
  await node.podWhen("after-crash", ({ status }) => status?.phase === "Succeeded");
  const after = await node.pod("survivor");
  expect(after.status?.containerStatuses?.[0]).toEqual(before.status!.containerStatuses![0]!);
  expect(after.status?.podIP).toBe(before.status!.podIP!);
  await runtime.execSync({ containerId: before.status!.containerStatuses![0]!.containerID!.slice("containerd://".length), cmd: ["kill", "1"], timeout: 60 });
  await node.podWhen("survivor", ({ status }) => status?.phase === "Succeeded");
});

test("what a kubelet that was away missed: orphans end, leftovers go", async () => {
  await node.createPod("orphan", { containers: [{ name: "main", command: forever }] });
  const { metadata: { uid } } = await node.podWhen("orphan", ({ status }) => status?.phase === "Running");
  const leftover = join(node.rootDir, "pods/11111111-2222-3333-4444-555555555555/volumes");
  const leftGroup = `/sys/fs/cgroup/memory${node.cgroupRoot}/burstable/pod11111111-2222-3333-4444-555555555555`;
  await node.restartKubelet(async () => {
    mkdirSync(leftover, { recursive: true });
    if (existsSync("/sys/fs/cgroup/memory")) mkdirSync(leftGroup, { recursive: true });
    await node.client.delete(pods, { namespace: "default", name: "orphan" }, { gracePeriodSeconds: 0 });
  });
  await eventually(async () => {
    const { items = [] } = await node.containerd.runtime.runtime.listPodSandbox({ filter: { labelSelector: { "io.kubernetes.pod.uid": uid! } } });
    expect(items).toEqual([]);
    expect(existsSync(leftover)).toBe(false);
    expect(existsSync(leftGroup)).toBe(false);
  });
});

test("after a power cut a pod runs on in a new sandbox, and the old one's address is free", async () => {
  await node.createPod("cut", { containers: [{ name: "main", command: forever }] });
  const before = await node.podWhen("cut", ({ status }) => status?.phase === "Running");
  const cri = node.containerd.runtime.runtime;
  const pidOf = (info: Readonly<Record<string, string>> | undefined): number => (JSON.parse(info!["info"]!) as { pid: number }).pid;
  await node.restartKubelet(async () => {
    const labelSelector = { "io.kubernetes.pod.uid": before.metadata.uid! };
    const [sandbox] = (await cri.listPodSandbox({ filter: { labelSelector } })).items!;
    const containerId = before.status!.containerStatuses![0]!.containerID!.slice("containerd://".length);
    const pids = [pidOf((await cri.containerStatus({ containerId, verbose: true })).info), pidOf((await cri.podSandboxStatus({ podSandboxId: sandbox!.id!, verbose: true })).info)];
    for (const pid of pids) process.kill(pid, "SIGKILL");
    await eventually(async () => {
      expect((await cri.containerStatus({ containerId })).status?.state).toBe(2);
      expect((await cri.podSandboxStatus({ podSandboxId: sandbox!.id! })).status?.state).toBe(1);
    });
  });
  const after = await node.podWhen("cut", ({ status }) => status?.containerStatuses?.[0]?.restartCount === 1 && status.phase === "Running" && status.containerStatuses[0].state?.running !== undefined);
  expect(after.status?.podIP).not.toBe(before.status!.podIP!);
  await eventually(() => expect(readdirSync(node.ipamDirectory, { recursive: true }).map((entry) => basename(String(entry)))).not.toContain(before.status!.podIP!));
});

test("what others wrote of the node and its pods while it seemed dead is put right", async () => {
  await node.createPod("mistaken", { containers: [{ name: "main", command: forever }] });
  const isReady = ({ status }: { status?: { conditions?: readonly { type: string; status: string }[] } }) => status?.conditions?.find(({ type }) => type === "Ready")?.status;
  await node.podWhen("mistaken", (pod) => isReady(pod) === "True");
  const write = { subresource: "status" };
  await node.client.patch(nodes, { name: "node-1" }, { type: "application/strategic-merge-patch+json", body: { status: { conditions: [{ type: "Ready", status: "Unknown" }] } } }, write);
  await node.client.patch(pods, { namespace: node.namespace, name: "mistaken" }, { type: "application/strategic-merge-patch+json", body: { status: { conditions: [{ type: "Ready", status: "False" }] } } }, write);
  await node.podWhen("mistaken", (pod) => isReady(pod) === "True");
  await eventually(async () => expect(isReady(await node.client.get(nodes, { name: "node-1" }))).toBe("True"));
});

test("a forced deletion frees the name at once; the old pod ends within its own grace period", async () => {
  await node.createPod("forced", { terminationGracePeriodSeconds: 2, containers: [{ name: "main", command: ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"] }] });
  const { metadata: { uid } } = await node.podWhen("forced", ({ status }) => status?.phase === "Running");
  await node.client.delete(pods, { namespace: "default", name: "forced" }, { gracePeriodSeconds: 0 });
  await node.createPod("forced", { containers: [{ name: "main", command: forever }] });
  const second = await node.podWhen("forced", ({ status }) => status?.phase === "Running");
  expect(second.metadata.uid).not.toBe(uid);
  await eventually(async () => {
    const { items = [] } = await node.containerd.runtime.runtime.listPodSandbox({ filter: { labelSelector: { "io.kubernetes.pod.uid": uid! } } });
    expect(items).toEqual([]);
  });
});

test("the host's network, and HTTP probes", async () => {
  await node.createPod("web", {
    containers: [{ name: "main", command: ["httpd", "-f", "-p", "8081", "-h", "/www"], readinessProbe: { httpGet: { path: "/index.html", port: "http" }, timeoutSeconds: 20, periodSeconds: 1 }, ports: [{ name: "http", containerPort: 8081 }], livenessProbe: { httpGet: { path: "/none", port: 8081 }, periodSeconds: 1, failureThreshold: 100 } }],
  });
  await node.createPod("host", { hostNetwork: true, containers: [{ name: "main", command: forever }] });
  await node.podWhen("web", ({ status }) => status?.containerStatuses?.[0]?.ready);
  const host = await node.podWhen("host", ({ status }) => status?.phase === "Running");
  expect(host.status?.podIP).toBe("10.0.0.1");
  await eventually(async () => expect((await node.events("web")).map(({ message }) => message)).toContain("Liveness probe failed: HTTP probe failed with statuscode: 404"));
});

test("an ephemeral container sees the processes of its target", async () => {
  await node.createPod("debugged", { containers: [{ name: "main", command: ["sh", "-c", "sleep 4321 & wait"] }] });
  const pod = structuredClone(await node.podWhen("debugged", ({ status }) => status?.phase === "Running"));
  pod.spec.ephemeralContainers = [{ name: "debugger", image: busyboxReference, imagePullPolicy: "IfNotPresent", targetContainerName: "main", command: ["ps"], terminationMessagePolicy: "FallbackToLogsOnError", terminationMessagePath: "/dev/termination-log" }];
  await node.client.update(pods, pod, { subresource: "ephemeralcontainers" });
  const seen = await node.podWhen("debugged", ({ status }) => status?.ephemeralContainerStatuses?.[0]?.state?.terminated !== undefined);
  expect(seen.status?.ephemeralContainerStatuses?.[0]?.state?.terminated?.exitCode).toBe(0);
  expect((await node.logs(`/containerLogs/${node.namespace}/debugged/debugger`)).body).toContain("sleep 4321");
});

test("isolation that the node cannot give is refused, not left out", async () => {
  await node.createPod("isolated", { hostUsers: false, containers: [{ name: "main", command: ["true"] }] });
  await eventually(async () => expect((await node.events("isolated")).map(({ message }) => message).join()).toContain("user namespaces are not supported on this node"));
  expect((await node.pod("isolated")).status?.phase).toBe("Pending");
});
