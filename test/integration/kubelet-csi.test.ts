import { afterAll, afterEach, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, readSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Summary } from "../../agents/kubelet/stats/summary-api.ts";
import { mountsBelow, unmountBelow } from "../../agents/kubelet/volumes/mount.ts";
import { csidrivers, csinodes, nodes, persistentvolumeclaims, persistentvolumes, pods, secrets, volumeattachments } from "../../src/apis/builtins.ts";
import type { PersistentVolumeClaimStatus, PersistentVolumeSpec, Pod, PodSpec } from "../../src/apis/generated/core/v1.ts";
import type { CSIDriverSpec } from "../../src/apis/generated/storage/v1.ts";
import { startCsiDriver, type CsiDriverOptions, type TestCsiDriver } from "../support/csi-driver.ts";
import { eventually } from "../support/eventually.ts";
import { nodeName, startKubeletNode, type KubeletNode } from "../support/kubelet-node.ts";

setDefaultTimeout(180_000);

/** CSI over the real protocol, with real mounts and containers. */
const driverName = "csi.example.com";
let node: KubeletNode, storage: string, driver: TestCsiDriver;
beforeAll(async () => {
  node = await startKubeletNode();
});
afterAll(() => node?.[Symbol.asyncDispose]());
beforeEach(() => {
  storage = mkdtempSync(join(tmpdir(), "skiff-csi-"));
});
afterEach(async () => {
  for (const { metadata: { name } } of (await node.client.list(pods, { namespace: node.namespace })).items) await remove(name!);
  driver.stop();
  for (const [card, { items }] of [[csidrivers, await node.client.list(csidrivers)], [volumeattachments, await node.client.list(volumeattachments)]] as const) {
    for (const { metadata } of items) await node.client.delete(card as typeof csidrivers, { name: metadata.name! });
  }
  await eventually(async () => expect((await node.client.get(csinodes, { name: nodeName })).spec.drivers).toEqual([]));
  unmountBelow(storage);
  rmSync(storage, { recursive: true });
});

async function start(options: Partial<CsiDriverOptions> = {}, spec?: CSIDriverSpec): Promise<void> {
  if (spec) await node.client.create(csidrivers, { apiVersion: "storage.k8s.io/v1", kind: "CSIDriver", metadata: { name: driverName }, spec });
  driver = await startCsiDriver({ name: driverName, rootDir: node.rootDir, storage, ...options });
  await eventually(() => expect(driver.registrations).toEqual([{ pluginRegistered: true }]));
}

let number = 0;
/** A claim with its volume, bound to each other as the controller does. */
async function claimed(spec: Partial<PersistentVolumeSpec> = {}): Promise<string> {
  const name = `data-${++number}`, claimRef = { namespace: node.namespace, name };
  const shared = { accessModes: ["ReadWriteOnce"], ...(spec.volumeMode ? { volumeMode: spec.volumeMode } : {}), storageClassName: "" } as const;
  const claim = await node.client.create(persistentvolumeclaims, {
    apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { ...claimRef, annotations: { "pv.kubernetes.io/bind-completed": "yes" } }, spec: { ...shared, accessModes: [...shared.accessModes], volumeName: `pv-${name}`, resources: { requests: { storage: "1Gi" } } },
  });
  await node.client.update(persistentvolumeclaims, { ...claim, status: { phase: "Bound" } } as never, { subresource: "status" });
  await node.client.create(persistentvolumes, {
    apiVersion: "v1", kind: "PersistentVolume", metadata: { name: `pv-${name}` },
    spec: { ...shared, accessModes: [...shared.accessModes], capacity: { storage: "1Gi" }, claimRef: { ...claimRef, uid: claim.metadata.uid! }, csi: { driver: driverName, volumeHandle: `handle-${name}`, volumeAttributes: { kind: "fast" } }, ...spec } as PersistentVolumeSpec,
  });
  return name;
}
async function setClaim(name: string, status: object): Promise<void> {
  const claim = await node.client.get(persistentvolumeclaims, { namespace: node.namespace, name });
  await node.client.update(persistentvolumeclaims, { ...claim, status } as never, { subresource: "status" });
}
const claimStatus = async (name: string): Promise<PersistentVolumeClaimStatus> => (await node.client.get(persistentvolumeclaims, { namespace: node.namespace, name })).status as PersistentVolumeClaimStatus;
const withClaim = (claimName: string, script: string, more: Partial<PodSpec> = {}): Partial<PodSpec> => ({
  volumes: [{ name: "data", persistentVolumeClaim: { claimName } }], containers: [{ name: "main", command: ["sh", "-c", script], volumeMounts: [{ name: "data", mountPath: "/data" }] }], ...more,
});
const running = (name: string): Promise<Pod> => node.podWhen(name, ({ status }) => status?.containerStatuses?.[0]?.ready);
async function remove(name: string): Promise<void> {
  await node.client.delete(pods, { namespace: node.namespace, name });
  await node.gone(name);
}
/** Waits for what a container writes into its volume once it runs. */
const written = (volume: string, text: string): Promise<void> => eventually(() => expect(readFileSync(join(storage, volume, "file"), "utf8")).toBe(text));
const methods = (): string[] => driver.calls.map(({ method }) => method);
const inUse = async (): Promise<readonly string[]> => (await node.client.get(nodes, { name: nodeName })).status?.volumesInUse ?? [];
const without = { attachRequired: false };

test("a driver registers: in the node's CSINode, its annotation, and labels for topology; one that goes is taken out", async () => {
  await start({ topology: { "topology.example.com/zone": "z1" } });
  const object = await node.client.get(csinodes, { name: nodeName });
  expect(object.spec.drivers).toEqual([{ name: driverName, nodeID: `${driverName}-node`, topologyKeys: ["topology.example.com/zone"], allocatable: { count: 7 } }]);
  expect(object.metadata.ownerReferences).toMatchObject([{ kind: "Node", name: nodeName }]);
  const { metadata } = await node.client.get(nodes, { name: nodeName });
  expect(metadata.labels).toMatchObject({ "topology.example.com/zone": "z1" });
  expect(JSON.parse(metadata.annotations!["csi.volume.kubernetes.io/nodeid"]!)).toEqual({ [driverName]: `${driverName}-node` });
});

test("one that speaks another CSI is refused with words", async () => {
  driver = await startCsiDriver({ name: driverName, rootDir: node.rootDir, storage, versions: ["0.3.0"] });
  await eventually(() => expect(driver.registrations[0]).toEqual({ error: `none of the versions [0.3.0] of the driver ${driverName} is supported: the node speaks CSI 1.x` }));
});

test("a volume is staged and published, and taken back when the pod has gone", async () => {
  await start({}, without);
  const name = await claimed({ csi: { driver: driverName, volumeHandle: "handle-1", fsType: "ext4", volumeAttributes: { kind: "fast" } }, mountOptions: ["noatime"] });
  await node.createPod("writer", withClaim(name, "echo written > /data/file; exec sleep 10000", { securityContext: { fsGroup: 4321 } }));
  const pod = await running("writer");
  expect(await inUse()).toEqual([]);
  await written("handle-1", "written\n");
  expect(statSync(join(storage, "handle-1")).gid).toBe(4321);
  const target = join(node.rootDir, "pods", pod.metadata.uid!, `volumes/kubernetes.io~csi/pv-${name}/mount`);
  const staging = join(node.rootDir, "plugins/kubernetes.io/csi", driverName, createHash("sha256").update("handle-1").digest("hex"), "globalmount");
  const volumeCapability = { mount: { fsType: "ext4", mountFlags: ["noatime"] }, accessMode: { mode: 1 } };
  expect(driver.calls.map(({ request }) => request)).toEqual([
    { volumeId: "handle-1", stagingTargetPath: staging, volumeCapability, volumeContext: { kind: "fast" } },
    { volumeId: "handle-1", stagingTargetPath: staging, targetPath: target, volumeCapability, volumeContext: { kind: "fast" } },
  ]);

  await remove("writer");
  expect(methods()).toEqual(["NodeStageVolume", "NodePublishVolume", "NodeUnpublishVolume", "NodeUnstageVolume"]);
  expect(mountsBelow(node.rootDir).filter((point) => point !== node.rootDir)).toEqual([]);
  expect([target, staging].map((path) => existsSync(path))).toEqual([false, false]);
});

test("two pods share a staged volume, which goes with the last", async () => {
  await start({}, without);
  const name = await claimed();
  await node.createPod("one", withClaim(name, "exec sleep 10000"));
  await running("one");
  await node.createPod("two", withClaim(name, "exec sleep 10000"));
  await running("two");
  await remove("one");
  expect(methods()).toEqual(["NodeStageVolume", "NodePublishVolume", "NodePublishVolume", "NodeUnpublishVolume"]);
  await remove("two");
  expect(methods().slice(4)).toEqual(["NodeUnpublishVolume", "NodeUnstageVolume"]);
});

/** Attaches a volume as the controller does: the attachment first, then the Node's status. */
async function attach(claim: string): Promise<void> {
  const handle = `handle-${claim}`, name = `csi-${createHash("sha256").update(`${handle}${driverName}${nodeName}`).digest("hex")}`;
  const made = await node.client.create(volumeattachments, { apiVersion: "storage.k8s.io/v1", kind: "VolumeAttachment", metadata: { name }, spec: { attacher: driverName, nodeName, source: { persistentVolumeName: `pv-${claim}` } } });
  await node.client.update(volumeattachments, { ...made, status: { attached: true, attachmentMetadata: { devicePath: "/dev/x" } } } as never, { subresource: "status" });
  await node.client.patch(nodes, { name: nodeName }, { type: "application/merge-patch+json", body: { status: { volumesAttached: [{ name: `kubernetes.io/csi/${driverName}^${handle}`, devicePath: "" }] } } }, { subresource: "status" });
}

test("a volume that is to be attached is told to be in use first, mounted once it is attached, and in use until it is unmounted", async () => {
  await start();
  const name = await claimed(), used = [`kubernetes.io/csi/${driverName}^handle-${name}`];
  await node.createPod("waits", withClaim(name, "exec sleep 10000"));
  await eventually(async () => expect(await inUse()).toEqual(used));
  expect(methods()).toEqual([]);
  await attach(name);
  await running("waits");
  expect(driver.calls.map(({ request }) => request["publishContext"])).toEqual([{ devicePath: "/dev/x" }, { devicePath: "/dev/x" }]);
  expect((await node.events("waits")).filter(({ reason }) => reason === "FailedMount").map(({ message }) => message)).toEqual([]);
  await node.restartKubelet();
  expect(await inUse()).toEqual(used);
  driver.fail("NodeUnstageVolume", "busy");
  await node.client.delete(pods, { namespace: node.namespace, name: "waits" }, { gracePeriodSeconds: 0 });
  await eventually(() => expect(methods()).toContain("NodeUnstageVolume"));
  expect(await inUse()).toEqual(used);
  driver.fail("NodeUnstageVolume", undefined);
  await eventually(async () => expect(await inUse()).toEqual([]));
});

test("a pod that is deleted while it waits for its volume leaves nothing behind", async () => {
  await start();
  await node.createPod("waits", withClaim(await claimed(), "exec sleep 10000"));
  await eventually(async () => expect(await inUse()).toHaveLength(1));
  await remove("waits");
  await eventually(async () => expect(await inUse()).toEqual([]));
  expect(methods()).toEqual([]);
});

test("secrets, the pod's particulars and tokens reach the driver that asks for them", async () => {
  await start({ capabilities: [1, 5, 6] }, { ...without, podInfoOnMount: true, tokenRequests: [{ audience: "vault" }] });
  await node.client.create(secrets, { apiVersion: "v1", kind: "Secret", metadata: { name: "keys", namespace: node.namespace }, data: { password: btoa("s3cret") } });
  const reference = { namespace: node.namespace, name: "keys" };
  const name = await claimed({ csi: { driver: driverName, volumeHandle: "h", nodeStageSecretRef: reference, nodePublishSecretRef: reference } });
  await node.createPod("told", withClaim(name, "exec sleep 10000", { securityContext: { fsGroup: 4321 } }));
  const { metadata: { uid } } = await running("told");
  const [stage, publish] = driver.calls.map(({ request }) => request) as [any, any];
  expect([stage.secrets, publish.secrets]).toEqual([{ password: "s3cret" }, { password: "s3cret" }]);
  expect(stage.volumeCapability).toEqual({ mount: { volumeMountGroup: "4321" }, accessMode: { mode: 7 } });
  const { "csi.storage.k8s.io/serviceAccount.tokens": tokens, ...about } = publish.volumeContext;
  expect(about).toEqual({ "csi.storage.k8s.io/pod.name": "told", "csi.storage.k8s.io/pod.namespace": node.namespace, "csi.storage.k8s.io/pod.uid": uid, "csi.storage.k8s.io/serviceAccount.name": "default", "csi.storage.k8s.io/ephemeral": "false" });
  expect(JSON.parse(tokens)).toEqual({ vault: { token: "token-for-3600", expirationTimestamp: expect.any(String) } });
});

test("a volume of the pod's own", async () => {
  await start({}, { ...without, volumeLifecycleModes: ["Persistent", "Ephemeral"], podInfoOnMount: true });
  await node.createPod("inline", { volumes: [{ name: "own", csi: { driver: driverName, volumeAttributes: { size: "1" } } }], containers: [{ name: "main", command: ["sh", "-c", "echo hello > /own/file; exec sleep 10000"], volumeMounts: [{ name: "own", mountPath: "/own" }] }] });
  const pod = await running("inline");
  const volumeId = `csi-${createHash("sha256").update(`${pod.metadata.uid}own`).digest("hex")}`;
  expect(driver.calls).toMatchObject([{ method: "NodePublishVolume", request: { volumeId, volumeContext: { size: "1", "csi.storage.k8s.io/ephemeral": "true" } } }]);
  await written(volumeId, "hello\n");
  await remove("inline");
  expect(methods()).toEqual(["NodePublishVolume", "NodeUnpublishVolume"]);
});

test("block volumes: of a driver, and of the node's own", async () => {
  const device = readdirSync("/sys/class/block").map((each) => `/dev/${each}`).find((path) => existsSync(path) && statSync(path).isBlockDevice());
  if (!device) throw new Error("this machine has no block device to test with");
  await start({ device }, without);
  const ofDriver = await claimed({ volumeMode: "Block" }), own = await claimed({ volumeMode: "Block", csi: undefined, local: { path: device }, nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [nodeName] }] }] } } });
  const script = "for d in /dev/one /dev/two; do test -b $d && stat -c '%t:%T' $d; done; exec sleep 10000";
  await node.createPod("raw", {
    volumes: [{ name: "one", persistentVolumeClaim: { claimName: ofDriver } }, { name: "two", persistentVolumeClaim: { claimName: own, readOnly: true } }],
    containers: [{ name: "main", command: ["sh", "-c", script], volumeDevices: [{ name: "one", devicePath: "/dev/one" }, { name: "two", devicePath: "/dev/two" }] }],
  });
  await running("raw");
  const { rdev } = statSync(device), shown = `${(rdev >> 8).toString(16)}:${(rdev & 0xff).toString(16)}\n`;
  await eventually(async () => expect((await node.logs(`/containerLogs/${node.namespace}/raw/main`)).body).toBe(shown + shown));
  expect(driver.calls).toMatchObject([{ method: "NodeStageVolume", request: { volumeCapability: { block: {} } } }, { method: "NodePublishVolume", request: { targetPath: join(node.rootDir, "plugins/kubernetes.io/csi/volumeDevices/publish", `pv-${ofDriver}`, (await node.pod("raw")).metadata.uid!) } }]);
  await remove("raw");
  expect(mountsBelow(node.rootDir).filter((point) => point !== node.rootDir)).toEqual([]);
  const handle = openSync(device, "r");
  expect(readSync(handle, Buffer.alloc(1))).toBeLessThanOrEqual(1);
  closeSync(handle);
});

test("the pod waits for a driver that isn't there, or fails, and starts when it is well", async () => {
  await start({}, without);
  driver.fail("NodeStageVolume", "the disk is on fire");
  const name = await claimed();
  await node.createPod("patient", withClaim(name, "exec sleep 10000"));
  await eventually(async () => expect((await node.events("patient")).map(({ message }) => message).join()).toContain("the disk is on fire"));
  driver.stop();
  await eventually(async () => expect((await node.client.get(csinodes, { name: nodeName })).spec.drivers).toEqual([]));
  await start();
  await running("patient");
});

test("a kubelet that is killed leaves volumes as they are, and its successor takes back what a pod has that went meanwhile", async () => {
  await start({}, without);
  const [stays, goes] = [await claimed(), await claimed()];
  await node.createPod("stays", withClaim(stays, "exec sleep 10000"));
  await node.createPod("goes", withClaim(goes, "exec sleep 10000"));
  await running("stays");
  const { metadata: { uid } } = await running("goes");
  driver.calls.length = 0;
  await node.restartKubelet(async () => {
    await node.client.delete(pods, { namespace: node.namespace, name: "goes" }, { gracePeriodSeconds: 0 });
  });
  await eventually(() => expect(driver.calls.map(({ method, request }) => `${method} ${request["volumeId"]}`)).toEqual([`NodeUnpublishVolume handle-${goes}`, `NodeUnstageVolume handle-${goes}`]));
  await eventually(() => expect(existsSync(join(node.rootDir, "pods", uid!))).toBe(false));
  expect((await node.pod("stays")).status?.containerStatuses?.[0]).toMatchObject({ ready: true, restartCount: 0 });
});

test("nothing of a pod is deleted while its driver can't take the volume back", async () => {
  await start({}, without);
  const name = await claimed();
  await node.createPod("stuck", withClaim(name, "echo kept > /data/file; exec sleep 10000"));
  const { metadata: { uid } } = await running("stuck");
  await written(`handle-${name}`, "kept\n");
  driver.fail("NodeUnpublishVolume", "busy");
  await node.client.delete(pods, { namespace: node.namespace, name: "stuck" });
  await eventually(() => expect(methods()).toContain("NodeUnpublishVolume"));
  expect(readFileSync(join(storage, `handle-${name}/file`), "utf8")).toBe("kept\n");
  expect(existsSync(join(node.rootDir, "pods", uid!))).toBe(true);
  driver.fail("NodeUnpublishVolume", undefined);
  await node.gone("stuck");
  expect(readFileSync(join(storage, `handle-${name}/file`), "utf8")).toBe("kept\n");
});

test("a volume grows while a pod uses it, and claim and pod are told", async () => {
  await start({ capabilities: [1, 3] }, without);
  const name = await claimed();
  const status = { phase: "Bound", capacity: { storage: "1Gi" } } as const;
  await setClaim(name, status);
  await node.createPod("grows", withClaim(name, "exec sleep 10000"));
  const { metadata: { uid } } = await running("grows");
  const volume = await node.client.get(persistentvolumes, { name: `pv-${name}` });
  await node.client.update(persistentvolumes, { ...volume, spec: { ...volume.spec, capacity: { storage: "2Gi" } } } as never);
  driver.fail("NodeExpandVolume", "the disk is jammed");
  await setClaim(name, { ...status, allocatedResources: { storage: "2Gi" }, allocatedResourceStatuses: { storage: "NodeResizePending" }, conditions: [{ type: "FileSystemResizePending", status: "True" }] });
  await eventually(async () => expect((await claimStatus(name)).conditions).toMatchObject([{ type: "FileSystemResizePending" }, { type: "NodeResizeError", message: "failed to expand pvc with Expander.NodeExpand failed to expand the volume : rpc error: code = Unknown desc = the disk is jammed" }]));
  expect(await claimStatus(name)).toMatchObject({ capacity: { storage: "1Gi" }, allocatedResourceStatuses: { storage: "NodeResizeInProgress" } });
  await eventually(async () => expect((await node.events("grows")).find(({ reason }) => reason === "VolumeResizeFailed")?.message).toBe(`NodeExpandVolume.NodeExpandVolume failed for volume "pv-${name}" : rpc error: code = Unknown desc = the disk is jammed`));
  driver.fail("NodeExpandVolume", undefined);
  driver.calls.length = 0;
  await node.restartKubelet();
  await eventually(async () => expect(await claimStatus(name)).toEqual({ phase: "Bound", capacity: { storage: "2Gi" }, allocatedResources: { storage: "2Gi" } }));
  expect(driver.calls).toMatchObject([{ method: "NodeExpandVolume", request: { volumeId: `handle-${name}`, volumePath: join(node.rootDir, "pods", uid!, `volumes/kubernetes.io~csi/pv-${name}/mount`), capacityRange: { requiredBytes: 2 ** 31 }, volumeCapability: { mount: {}, accessMode: { mode: 1 } } } }]);
  for (const about of ["grows", name]) await eventually(async () => expect((await node.events(about)).find(({ reason }) => reason === "FileSystemResizeSuccessful")?.message).toBe(`MountVolume.NodeExpandVolume succeeded for volume "pv-${name}" ${nodeName}`));
});

test("a volume that grew while no pod used it grows before its next pod begins", async () => {
  await start({ capabilities: [1, 3] }, without);
  const name = await claimed({ capacity: { storage: "2Gi" } });
  await setClaim(name, { phase: "Bound", capacity: { storage: "1Gi" }, allocatedResources: { storage: "2Gi" }, allocatedResourceStatuses: { storage: "NodeResizePending" } });
  await node.createPod("grown", withClaim(name, "exec sleep 10000"));
  await running("grown");
  expect(methods()).toEqual(["NodeStageVolume", "NodeExpandVolume", "NodePublishVolume"]);
  expect(await claimStatus(name)).toMatchObject({ capacity: { storage: "2Gi" } });
});

test("what a driver says of its volume is in the summary and the metrics", async () => {
  await start({ capabilities: [1, 2, 4] }, without);
  const name = await claimed();
  await node.createPod("counted", withClaim(name, "exec sleep 10000"));
  await running("counted");
  const summary = JSON.parse((await node.logs("/stats/summary")).body) as Summary;
  const pod = summary.pods.find(({ podRef }) => podRef.name === "counted")!;
  expect(pod.volume!.find((each) => each.name === "data")).toEqual({ time: expect.any(String), name: "data", pvcRef: { name, namespace: node.namespace }, capacityBytes: 1000, availableBytes: 400, usedBytes: 600, inodes: 50, inodesFree: 20, inodesUsed: 30, volumeHealthStats: { abnormal: true } });
  const metrics = (await node.logs("/metrics")).body;
  for (const [figure, value] of [["used_bytes", 600], ["inodes_free", 20], ["health_status_abnormal", 1]]) expect(metrics).toContain(`kubelet_volume_stats_${figure}{namespace="${node.namespace}",persistentvolumeclaim="${name}"} ${value}\n`);
});

test("a driver that is replaced keeps its mounts, and pods that share a volume may write to it or not", async () => {
  await start({}, without);
  const name = await claimed();
  await node.createPod("writes", withClaim(name, "echo 1 > /data/file; exec sleep 10000"));
  await running("writes");
  await written(`handle-${name}`, "1\n");
  await node.createPod("reads", { ...withClaim(name, "touch /data/x 2>&1; cat /data/file; exec sleep 10000"), volumes: [{ name: "data", persistentVolumeClaim: { claimName: name, readOnly: true } }] });
  await running("reads");
  expect(driver.calls.filter(({ method }) => method === "NodePublishVolume").map(({ request }) => request["readonly"] ?? false)).toEqual([false, true]);
  await eventually(async () => expect((await node.logs(`/containerLogs/${node.namespace}/reads/main`)).body).toBe("touch: /data/x: Read-only file system\n1\n"));
  driver.stop();
  await start();
  await remove("writes");
  await remove("reads");
  expect(methods()).toEqual(["NodeUnpublishVolume", "NodeUnpublishVolume", "NodeUnstageVolume"]);
});

test("what a pod left behind whose driver isn't there yet is taken back when it comes", async () => {
  await start({}, without);
  const name = await claimed();
  await node.createPod("left", withClaim(name, "exec sleep 10000"));
  const { metadata: { uid } } = await running("left");
  const directory = join(node.rootDir, "pods", uid!);
  await node.restartKubelet(async () => {
    driver.stop();
    await node.client.delete(pods, { namespace: node.namespace, name: "left" }, { gracePeriodSeconds: 0 });
    const { runtime } = node.containerd.runtime;
    const labelSelector = { "io.kubernetes.pod.uid": uid! };
    for (const { id } of (await runtime.listPodSandbox({ filter: { labelSelector } })).items ?? []) {
      await runtime.stopPodSandbox({ podSandboxId: id });
      await runtime.removePodSandbox({ podSandboxId: id });
    }
    // As when the kubelet was killed after it had written down what it was about to do.
    const half = join(directory, "volumes/kubernetes.io~csi/pv-half");
    mkdirSync(half);
    writeFileSync(join(half, "vol_data.json"), JSON.stringify({ driverName, volumeHandle: "half", specVolID: "pv-half", targetPath: join(half, "mount") }));
  });
  expect(existsSync(directory)).toBe(true);
  await start();
  await eventually(() => expect(existsSync(directory)).toBe(false));
  expect(driver.calls.map(({ method, request }) => `${method} ${request["volumeId"]}`).toSorted()).toEqual(["NodeUnpublishVolume half", `NodeUnpublishVolume handle-${name}`, `NodeUnstageVolume handle-${name}`]);
});

test("after a power cut, with the mounts gone, volumes are staged and published anew", async () => {
  await start({}, without);
  const name = await claimed();
  await node.createPod("again", withClaim(name, "cat /data/file 2>/dev/null; echo kept > /data/file; exec sleep 10000", { restartPolicy: "Always" }));
  const { metadata: { uid } } = await running("again");
  await written(`handle-${name}`, "kept\n");
  await node.restartKubelet(async () => {
    const { runtime } = node.containerd.runtime;
    for (const { id } of (await runtime.listPodSandbox({ filter: { labelSelector: { "io.kubernetes.pod.uid": uid! } } })).items ?? []) await runtime.stopPodSandbox({ podSandboxId: id });
    unmountBelow(join(node.rootDir, "pods", uid!));
    unmountBelow(join(node.rootDir, "plugins"));
    driver.calls.length = 0;
  });
  await node.podWhen("again", ({ status }) => status?.containerStatuses?.[0]?.ready && status.containerStatuses[0].restartCount === 1);
  expect(methods()).toEqual(["NodeStageVolume", "NodePublishVolume"]);
  await eventually(async () => expect((await node.logs(`/containerLogs/${node.namespace}/again/main`)).body).toBe("kept\n"));
});

test("the node has a CSINode before it has drivers; another Node of its name gets it anew", async () => {
  await start({ topology: {} });
  const { metadata: { uid } } = await node.client.get(nodes, { name: nodeName });
  expect((await node.client.get(csinodes, { name: nodeName })).metadata.ownerReferences).toMatchObject([{ uid }]);
  await node.client.delete(nodes, { name: nodeName });
  await eventually(async () => {
    const { metadata, spec } = await node.client.get(csinodes, { name: nodeName });
    const owner = metadata.ownerReferences![0]!.uid;
    expect(owner).not.toBe(uid!);
    expect(owner).toBe((await node.client.get(nodes, { name: nodeName })).metadata.uid!);
    expect(spec.drivers.map((each) => each.name)).toEqual([driverName]);
  });
});

test("a driver in a privileged pod mounts below the kubelet's directory, and others see it", async () => {
  await start({}, without);
  const place = join(node.rootDir, "plugins/mounted");
  const script = "mkdir -p /plugins/mounted && mount -t tmpfs tmpfs /plugins/mounted && echo seen > /plugins/mounted/file; exec sleep 10000";
  await node.createPod("sees", { volumes: [{ name: "p", hostPath: { path: join(node.rootDir, "plugins") } }], containers: [{ name: "main", command: ["sh", "-c", "until cat /plugins/mounted/file 2>/dev/null; do sleep 0.1; done; exec sleep 10000"], volumeMounts: [{ name: "p", mountPath: "/plugins", mountPropagation: "HostToContainer" }] }] });
  await running("sees");
  await node.createPod("mounts", { volumes: [{ name: "p", hostPath: { path: join(node.rootDir, "plugins") } }], containers: [{ name: "main", command: ["sh", "-c", script], securityContext: { privileged: true }, volumeMounts: [{ name: "p", mountPath: "/plugins", mountPropagation: "Bidirectional" }] }] });
  await running("mounts");
  await eventually(() => expect(readFileSync(join(place, "file"), "utf8")).toBe("seen\n"));
  await eventually(async () => expect((await node.logs(`/containerLogs/${node.namespace}/sees/main`)).body).toBe("seen\n"));
  await remove("mounts");
  unmountBelow(place);
});
