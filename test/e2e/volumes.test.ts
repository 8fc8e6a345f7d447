import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { skiffForThisFile } from "../support/e2e.ts";
import { eventually } from "../support/eventually.ts";
import { pod, shell } from "../support/workloads.ts";

const skiff = await skiffForThisFile();
const { kubectl } = skiff;

const sleeper = (mounts: object[], rest: object = {}): ReturnType<typeof shell> => shell("sleep 1000", { volumeMounts: mounts as never, ...rest });
const ready = (name: string): Promise<string> => kubectl("wait", "--for=condition=Ready", `pod/${name}`, "--timeout=120s");
const cat = (name: string, path: string): Promise<string> => kubectl("exec", name, "--", "cat", path);

test("emptyDir lives as long as its pod, on disk or in memory", async () => {
  await kubectl.apply(pod("empty", sleeper([{ name: "disk", mountPath: "/disk" }, { name: "memory", mountPath: "/memory" }]), {
    volumes: [{ name: "disk", emptyDir: {} }, { name: "memory", emptyDir: { medium: "Memory", sizeLimit: "4Mi" } }],
    securityContext: { fsGroup: 4321 },
  }));
  await ready("empty");
  expect(await kubectl("exec", "empty", "--", "sh", "-c", "echo kept > /disk/file; df -P /memory | tail -1; stat -c %g /disk")).toMatch(/^tmpfs +4096 .*\n4321\n$/);
  const { metadata } = await kubectl.get("pod", "empty");
  const directory = join(skiff.layout.agentDir, "kubelet/pods", metadata.uid);
  expect(existsSync(directory)).toBe(true);
  await kubectl("exec", "empty", "--", "sh", "-c", "kill -9 -1; true").catch(() => undefined);
  await kubectl("delete", "pod", "empty");
  await eventually(() => expect(existsSync(directory)).toBe(false));
});

test("a ConfigMap's files change when it does, all at once; single keys, modes and subPath", async () => {
  await kubectl("create", "configmap", "page", "--from-literal=index.html=one", "--from-literal=other=two");
  await kubectl.apply(pod("pages", sleeper([{ name: "all", mountPath: "/all" }, { name: "some", mountPath: "/some" }, { name: "all", mountPath: "/single", subPath: "index.html" }]), {
    volumes: [{ name: "all", configMap: { name: "page" } }, { name: "some", configMap: { name: "page", defaultMode: 0o400, items: [{ key: "other", path: "deep/file" }] } }],
  }));
  await ready("pages");
  expect(await kubectl("exec", "pages", "--", "sh", "-c", "ls /all /some; cat /all/index.html /some/deep/file /single; stat -Lc %a /some/deep/file")).toBe("/all:\nindex.html\nother\n\n/some:\ndeep\nonetwoone400\n");
  await kubectl("patch", "configmap", "page", "--type=merge", "-p", '{"data":{"index.html":"changed","other":null,"third":"3"}}');
  await eventually(async () => expect(await kubectl("exec", "pages", "--", "sh", "-c", "ls /all; cat /all/index.html")).toBe("index.html\nthird\nchanged"), { timeout: 120_000, interval: 500 });
  expect(await cat("pages", "/single")).toBe("one");
  // As with every volume whose files are the API's.
  expect((await kubectl.outcome(["exec", "pages", "--", "touch", "/all/x"])).stderr).toContain("Read-only file system");
});

test("a Secret lies in memory; what is missing holds the pod back unless it is optional", async () => {
  await kubectl.apply(pod("secretive", sleeper([{ name: "secret", mountPath: "/secret", readOnly: true }, { name: "maybe", mountPath: "/maybe" }]), {
    volumes: [{ name: "secret", secret: { secretName: "late", defaultMode: 0o440 } }, { name: "maybe", secret: { secretName: "never", optional: true } }],
  }));
  await eventually(async () => expect(await kubectl.eventsOf("secretive")).toMatch(/Warning +FailedMount .*secret "late" not found/), { interval: 200 });
  await eventually(async () => expect((await kubectl.get("pod", "secretive")).status.containerStatuses[0].state.waiting.reason).toBe("ContainerCreating"), { interval: 200 });
  await kubectl("create", "secret", "generic", "late", "--from-literal=key=geheim");
  await ready("secretive");
  expect(await kubectl("exec", "secretive", "--", "sh", "-c", "cat /secret/key; ls /maybe; df -P /secret | tail -1 | cut -d' ' -f1")).toBe("geheimtmpfs\n");
  expect((await kubectl.outcome(["exec", "secretive", "--", "touch", "/secret/x"])).stderr).toContain("Read-only file system");
});

test("downward API: labels and annotations that follow the pod, and resources", async () => {
  await kubectl.apply(pod("downward", sleeper([{ name: "info", mountPath: "/info" }], { resources: { limits: { cpu: "250m" } } }), {
    volumes: [{ name: "info", downwardAPI: { items: [
      { path: "labels", fieldRef: { fieldPath: "metadata.labels" } }, { path: "name", fieldRef: { fieldPath: "metadata.name" } },
      { path: "cpu", resourceFieldRef: { containerName: "main", resource: "limits.cpu", divisor: "1m" } },
    ] } }],
  }));
  await ready("downward");
  expect(await cat("downward", "/info/labels")).toBe('app="downward"');
  expect(await cat("downward", "/info/name")).toBe("downward");
  expect(await cat("downward", "/info/cpu")).toBe("250");
  await kubectl("label", "pod", "downward", "tier=front");
  await eventually(async () => expect(await cat("downward", "/info/labels")).toBe('app="downward"\ntier="front"'), { timeout: 120_000, interval: 500 });
});

test("projected volumes, and the service account's token opens the API from inside", async () => {
  await kubectl("create", "configmap", "part", "--from-literal=a=1");
  await kubectl("create", "rolebinding", "pods-view", "--clusterrole=view", "--serviceaccount=default:default");
  await kubectl.apply(pod("inside", sleeper([{ name: "both", mountPath: "/both" }]), {
    volumes: [{ name: "both", projected: { sources: [{ configMap: { name: "part" } }, { downwardAPI: { items: [{ path: "ns", fieldRef: { fieldPath: "metadata.namespace" } }] } }, { serviceAccountToken: { path: "token", audience: "somebody-else", expirationSeconds: 3600 } }] } }],
  }));
  await ready("inside");
  expect(await cat("inside", "/both/a")).toBe("1");
  expect(await cat("inside", "/both/ns")).toBe("default");
  const claims = (token: string): { aud: string[]; "kubernetes.io": { pod: { name: string } } } => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());
  expect(claims(await cat("inside", "/both/token"))).toMatchObject({ aud: ["somebody-else"], "kubernetes.io": { pod: { name: "inside" } } });
  const folder = "/var/run/secrets/kubernetes.io/serviceaccount";
  expect(await cat("inside", `${folder}/namespace`)).toBe("default");
  const token = await cat("inside", `${folder}/token`);
  const file = join(skiff.directory, "ca.crt");
  writeFileSync(file, await cat("inside", `${folder}/ca.crt`));
  const curl = async (bearer: string): Promise<string> => {
    const pid = readFileSync(`/sys/fs/cgroup/${existsSync("/sys/fs/cgroup/pids") ? "pids/" : ""}${skiff.layout.instance}/besteffort/pod${(await kubectl.get("pod", "inside")).metadata.uid}/${(await kubectl.get("pod", "inside")).status.containerStatuses[0].containerID.slice("containerd://".length)}/cgroup.procs`, "utf8").split("\n")[0]!;
    const child = Bun.spawnSync(["nsenter", "-t", pid, "-n", "curl", "-sS", "--max-time", "20", "--cacert", file, "-H", `Authorization: Bearer ${bearer}`, "https://10.43.0.1/api/v1/namespaces/default/pods"]);
    return child.stdout.toString() + child.stderr.toString();
  };
  expect(JSON.parse(await curl(token))).toMatchObject({ kind: "PodList" });
  expect(JSON.parse(await curl(await cat("inside", "/both/token")))).toMatchObject({ kind: "Status", code: 401 });
  await kubectl("delete", "pod", "inside");
  expect((await kubectl.outcome(["get", "pods", "--token", token, "--kubeconfig", "/dev/null", "--server", "https://127.0.0.1:6443", "--insecure-skip-tls-verify"])).stderr).toContain("Unauthorized");
});

test("hostPath, in its kinds", async () => {
  const directory = join(skiff.directory, "host");
  mkdirSync(directory);
  writeFileSync(join(directory, "file"), "of the host");
  await kubectl.apply(pod("hosted", sleeper([{ name: "there", mountPath: "/there" }, { name: "new", mountPath: "/new" }]), {
    volumes: [{ name: "there", hostPath: { path: directory, type: "Directory" } }, { name: "new", hostPath: { path: join(directory, "made"), type: "DirectoryOrCreate" } }],
  }), pod("unhosted", sleeper([{ name: "no", mountPath: "/no" }]), { volumes: [{ name: "no", hostPath: { path: join(directory, "missing"), type: "File" } }] }));
  await ready("hosted");
  expect(await cat("hosted", "/there/file")).toBe("of the host");
  await kubectl("exec", "hosted", "--", "sh", "-c", "echo made > /new/file");
  expect(readFileSync(join(directory, "made/file"), "utf8")).toBe("made\n");
  await eventually(async () => expect(await kubectl.eventsOf("unhosted")).toContain("FailedMount"), { interval: 200 });
});
