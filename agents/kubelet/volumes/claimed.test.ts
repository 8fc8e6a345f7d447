import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PersistentVolume, PersistentVolumeClaim, PodSpec, Volume } from "../../../src/apis/generated/core/v1.ts";
import { claimedVolumes } from "./claimed.ts";
import type { VolumeContext } from "./volume.ts";

const name = "pvc-01234567-89ab-cdef-0123-456789abcdef";
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "skiff-claimed-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const claim = (more: Partial<PersistentVolumeClaim> = {}): PersistentVolumeClaim => ({
  metadata: { name: "data", namespace: "ns", uid: "c1", annotations: { "pv.kubernetes.io/bind-completed": "yes" } }, spec: { volumeName: name }, status: { phase: "Bound" }, ...more,
});
const volume = (spec: PersistentVolume["spec"] = {}): PersistentVolume => ({
  metadata: { name, annotations: { "pv.kubernetes.io/provisioned-by": "skiff.io/local-path" } },
  spec: { claimRef: { namespace: "ns", name: "data", uid: "c1" }, local: { path: `/x/${name}_ns_data` }, nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: ["n1"] }] }] } }, ...spec },
});
interface Given {
  claim?: PersistentVolumeClaim;
  volume?: PersistentVolume;
  source?: Partial<Volume>;
  spec?: Partial<PodSpec>;
  hostname?: string;
}
const context = (given: Given): VolumeContext => ({
  nodeName: "n1", now: () => 0, nodeLabels: () => ({ "kubernetes.io/hostname": given.hostname ?? "n1" }), storageDirectory: join(root, "storage"),
  claim: async () => ("claim" in given ? given.claim : claim()), persistentVolume: async () => ("volume" in given ? given.volume : volume()),
  pod: { metadata: { name: "p", namespace: "ns", uid: "u1" }, spec: { containers: [], ...given.spec } },
  volume: { name: "d", persistentVolumeClaim: { claimName: "data" }, ...given.source }, directory: join(root, "pods/u1/volumes/kubernetes.io~local-volume/d"),
} as unknown as VolumeContext);

describe("a claim's volume", () => {
  test("is a directory in the storage directory, made when it is first used", async () => {
    expect(await claimedVolumes().setUp(context({}))).toEqual({ path: join(root, "storage", `${name}_ns_data`) });
    expect(statSync(join(root, "storage", `${name}_ns_data`)).mode & 0o7777).toBe(0o777);
  });

  test("is for reading only where the pod says so", async () => {
    expect(await claimedVolumes().setUp(context({ source: { persistentVolumeClaim: { claimName: "data", readOnly: true } } }))).toMatchObject({ readOnly: true });
  });

  test("is asked for once a pod", async () => {
    const plugin = claimedVolumes(), given = context({});
    await plugin.setUp(given);
    const away = { ...given, claim: () => Promise.reject(new Error("the API is away")) };
    expect(await plugin.setUp(away)).toMatchObject({ path: join(root, "storage", `${name}_ns_data`) });
    plugin.forget!("u1");
    await expect(plugin.setUp(away)).rejects.toThrow("the API is away");
  });

  test("is given to the pod's group once, also when the kubelet begins anew", async () => {
    const spec = { securityContext: { fsGroup: 4321 } };
    const { path } = await claimedVolumes().setUp(context({ spec }));
    expect([statSync(path).gid, statSync(path).mode & 0o7777]).toEqual([4321, 0o2777]);
    chmodSync(path, 0o700);
    await claimedVolumes().setUp(context({ spec }));
    expect(statSync(path).mode & 0o7777).toBe(0o700);
  });

  test.each<[string, Given, string]>([
    ["without a claim", { claim: undefined }, 'error processing PVC ns/data: failed to fetch PVC from API server: persistentvolumeclaims "data" not found'],
    ["whose claim isn't bound", { claim: claim({ status: { phase: "Pending" } }) }, "error processing PVC ns/data: PVC is not bound"],
    ["whose claim is being deleted", { claim: claim({ metadata: { name: "data", namespace: "ns", uid: "c1", deletionTimestamp: "2026-01-01T00:00:00Z" } }) }, "error processing PVC ns/data: PVC is being deleted"],
    ["that is another claim's", { volume: volume({ claimRef: { namespace: "ns", name: "data", uid: "c0" } }) }, `error processing PVC ns/data: failed to fetch PV ${name} from API server`],
    ["that is gone", { volume: undefined }, `error processing PVC ns/data: failed to fetch PV ${name} from API server`],
    ["of another node", { hostname: "n2" }, `MountVolume.NodeAffinity check failed for volume "${name}" : no matching NodeSelectorTerms`],
    ["of blocks, without a device", { volume: volume({ volumeMode: "Block" }) }, `volume "${name}" is a block volume, but "/x/${name}_ns_data" is no block device`],
    ["of a kind that this node doesn't know", { volume: volume({ local: undefined, nodeAffinity: undefined, nfs: { server: "s", path: "/" } }) }, "this kind of volume is not supported on this node"],
    ["made for another pod", { source: { persistentVolumeClaim: undefined, ephemeral: { volumeClaimTemplate: { spec: {} } } } }, "error processing PVC ns/p-d: PVC ns/data was not created for pod ns/p (pod is not owner)"],
  ])("%s is refused, and nothing is made", async (_, given, message) => {
    await expect(claimedVolumes().setUp(context(given))).rejects.toThrow(message);
    expect(existsSync(join(root, "storage"))).toBe(false);
  });

  test("of a user's own making is where the user says", async () => {
    const made = join(root, "made");
    mkdirSync(made);
    const own = (spec: PersistentVolume["spec"]): PersistentVolume => ({ ...volume({ local: undefined, ...spec }), metadata: { name } });
    expect(await claimedVolumes().setUp(context({ volume: own({ local: { path: made } }) }))).toEqual({ path: made });
    expect(await claimedVolumes().setUp(context({ volume: own({ hostPath: { path: made, type: "Directory" } }) }))).toEqual({ path: made });
    await expect(claimedVolumes().setUp(context({ volume: own({ local: { path: join(made, "no") } }) }))).rejects.toThrow("does not exist");
    await expect(claimedVolumes().setUp(context({ volume: own({ hostPath: { path: join(made, "no"), type: "Directory" } }) }))).rejects.toThrow("hostPath type check failed");
  });
});
