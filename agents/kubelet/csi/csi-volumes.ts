import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import { secrets } from "../../../src/apis/core/secret.ts";
import type { Node, PersistentVolumeClaim } from "../../../src/apis/generated/core/v1.ts";
import type { CSIDriverSpec, VolumeAttachment } from "../../../src/apis/generated/storage/v1.ts";
import type { Clock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import type { Client } from "../../../src/client/client.ts";
import type { EventRecorder } from "../../../src/client/recorder.ts";
import { podReference } from "../pod/container-reference.ts";
import { errorText } from "../pod/kill.ts";
import { isMountPoint } from "../volumes/mount.ts";
import { MountError, VolumePending } from "../volumes/mount-error.ts";
import { applyFsGroup } from "../volumes/ownership.ts";
import type { MountedVolume, VolumeSources } from "../volumes/volume.ts";
import type { CsiDriver, VolumeFigures } from "./csi-driver.ts";
import { DriverMissing, TearDownFailed, type CsiDrivers } from "./csi-drivers.ts";
import { attachmentName, capabilityOf, idOf, placesOf, uniqueName, type CsiVolume, type SecretKey } from "./csi-volume.ts";
import { Expansions } from "./expansion.ts";
import { readVolumeData, volumeDataBelow, writeVolumeData, type VolumeData } from "./volume-data.ts";

export interface CsiOptions {
  /** The kubelet's. */
  rootDir: string;
  nodeName: string;
  client: Client;
  recorder: EventRecorder;
  clock: Clock;
  log: Logger;
  drivers: Pick<CsiDrivers, "get">;
  /** This node, as the API has it. */
  node(): Frozen<Node> | undefined;
  /** As the API has them now; as it had them last while it is away. */
  driverSpec(name: string): Promise<Frozen<CSIDriverSpec> | undefined>;
  attachment(name: string): Promise<Frozen<VolumeAttachment> | undefined>;
  token: VolumeSources["token"];
  /** Wakes the pod when the claim changes; tells it as it is now, once that is known. */
  followClaim(uid: string, namespace: string, name: string): () => Frozen<PersistentVolumeClaim> | undefined;
  /** Other volumes are in use than before. */
  onInUse(): void;
}

/** Drivers that want to be told again get tokens that are fresh; and as often is tried what a driver could not do. */
const refreshMs = 60_000;

/** A driver without an object is taken for one with the defaults. */
const defaultSpec: CSIDriverSpec = { attachRequired: true };

/**
 * Volumes of CSI drivers. Each volume is handled by one call at a time, all calls may be repeated, and what a pod was given is written down
 * beside it before: so a kubelet that was killed goes on where it was. Source: k8s.io/kubernetes/pkg/volume/csi, https://kubernetes-csi.github.io/docs/
 */
export class CsiVolumes {
  readonly #expansions: Expansions;
  /** The last call for each volume, `<driver>^<handle>`. */
  readonly #busy = new Map<string, Promise<unknown>>();
  /** The pods that have each volume that needs to be attached, or wait for it. */
  readonly #inUse = new Map<string, Set<string>>();
  constructor(private readonly options: CsiOptions) {
    this.#expansions = new Expansions(options);
    for (const { uid, data } of this.#given()) if (data.attachmentID) this.#use(idOf(data.driverName, data.volumeHandle), uid);
  }

  /** As the Node's status names them: no other node gets them before they are gone from there. */
  inUse(): string[] {
    return [...this.#inUse.keys()].map(uniqueName).toSorted();
  }

  /** Gives a volume to a pod: waits for nobody, throws with the reason as long as it can't be. */
  setUp(volume: CsiVolume): Promise<MountedVolume> {
    return this.#oneAtATime(idOf(volume.driver, volume.volumeHandle), () => this.#setUp(volume));
  }

  /** Takes back all volumes that a pod was given. Throws when a driver can't: nothing of the pod may be deleted then. */
  async tearDown(uid: string): Promise<void> {
    for (const { directory, data } of volumeDataBelow(join(this.options.rootDir, "pods", uid))) {
      await this.#oneAtATime(idOf(data.driverName, data.volumeHandle), () => this.#tearDown(uid, directory, data));
    }
    for (const id of this.#inUse.keys()) this.#leave(id, uid);
  }

  #oneAtATime<T>(id: string, work: () => Promise<T>): Promise<T> {
    const done = (this.#busy.get(id) ?? Promise.resolve()).then(work, work);
    const settled = done.then(() => {}, () => {}).then(() => {
      if (this.#busy.get(id) === settled) this.#busy.delete(id);
    });
    this.#busy.set(id, settled);
    return done;
  }

  #use(id: string, uid: string): boolean {
    const users = this.#inUse.get(id) ?? new Set<string>();
    this.#inUse.set(id, users.add(uid));
    return users.size === 1;
  }

  #leave(id: string, uid: string): void {
    const users = this.#inUse.get(id);
    if (users?.delete(uid) && users.size === 0 && this.#inUse.delete(id)) this.options.onInUse();
  }

  async #setUp(volume: CsiVolume): Promise<MountedVolume> {
    const spec = (await this.options.driverSpec(volume.driver)) ?? defaultSpec;
    const { directory, targetPath } = placesOf(this.options.rootDir, volume);
    const isWell = readVolumeData(directory)?.published && isMountPoint(targetPath) ? await this.#refresh(volume, spec) : await this.#publishAnew(volume, spec).then(() => true);
    return this.#mounted(volume, targetPath, !isWell || spec.requiresRepublish === true);
  }

  async #mounted(volume: CsiVolume, path: string, wearsOut: boolean): Promise<MountedVolume> {
    const { clock, drivers } = this.options, { readOnly, block, claimed } = volume, driver = drivers.get(volume.driver);
    const mayGrow = claimed && !readOnly && await driver?.can("expandVolume").catch(() => true);
    return {
      path, ...(readOnly ? { readOnly } : {}), ...(block ? { device: true } : {}), ...(wearsOut ? { refreshAt: clock.now() + refreshMs } : {}),
      ...(mayGrow ? { isStale: this.#changes(volume, claimed.claim) } : {}), ...(driver ? {} : { provisional: true }), driver: { figures: () => this.#figures(volume, path) },
    };
  }

  /** Whether the claim is another by now: it says when the node has to grow the volume. */
  #changes(volume: CsiVolume, { metadata: { namespace, name } }: Frozen<PersistentVolumeClaim>): () => boolean {
    const current = this.options.followClaim(volume.pod.metadata.uid!, namespace!, name!);
    return () => this.#expansions.isNews(volume, current());
  }

  /** A pod that has its volume keeps it, whatever becomes of it now; it is told. False when not all could be done. */
  async #refresh(volume: CsiVolume, spec: Frozen<CSIDriverSpec>): Promise<boolean> {
    const { drivers, recorder } = this.options, { pod, name } = volume, { targetPath, stagingPath } = placesOf(this.options.rootDir, volume);
    const driver = drivers.get(volume.driver);
    if (!driver) return true;
    let isWell = true;
    const tell = (reason: string, what: string) => (error: unknown): void => {
      isWell = false;
      recorder.event(podReference(pod), "Warning", reason, `${what} failed for volume "${name}" : ${errorText(error)}`);
    };
    const stages = !volume.ephemeral && await driver.can("stageUnstage");
    if (spec.requiresRepublish) await this.#publish(volume, driver, spec, stages ? stagingPath : undefined).catch(tell("FailedMount", "MountVolume.SetUp"));
    await this.#grow(volume, driver, targetPath, stages ? stagingPath : undefined).catch(tell("VolumeResizeFailed", "NodeExpandVolume.NodeExpandVolume"));
    return isWell;
  }

  async #publishAnew(volume: CsiVolume, spec: Frozen<CSIDriverSpec>): Promise<void> {
    const { rootDir, nodeName } = this.options, { name, block } = volume, uid = volume.pod.metadata.uid!, id = idOf(volume.driver, volume.volumeHandle);
    if (volume.ephemeral && !spec.volumeLifecycleModes?.includes("Ephemeral")) throw new Error(`kubernetes.io/csi: mounter.SetupAt failed to check volume lifecycle mode: volume mode "Ephemeral" not supported by driver ${volume.driver} (only supports ${JSON.stringify(spec.volumeLifecycleModes ?? ["Persistent"])})`);
    const attachable = !volume.ephemeral && spec.attachRequired !== false;
    if (attachable && this.#use(id, uid)) this.options.onInUse();
    const publishContext = attachable ? await this.#attached(volume) : {};
    const driver = this.#driver(volume.driver, "mounter.SetUpAt failed to get CSI client");
    const places = placesOf(rootDir, volume), { directory, targetPath } = places;
    const stagingPath = !volume.ephemeral && await driver.can("stageUnstage") ? places.stagingPath : undefined;
    const data: VolumeData = {
      driverName: volume.driver, volumeHandle: volume.volumeHandle, specVolID: name, targetPath, ...(stagingPath ? { stagingPath } : {}),
      ...(attachable ? { attachmentID: attachmentName(volume, nodeName) } : {}),
    };
    writeVolumeData(directory, data);
    if (stagingPath && !isMountPoint(stagingPath)) {
      await during(block ? "MapVolume.SetUpDevice failed" : "MountVolume.MountDevice failed", volume, async () => {
        mkdirSync(stagingPath, { recursive: true, mode: 0o750 });
        await driver.stage({ ...await this.#common(volume, driver, publishContext), stagingTargetPath: stagingPath, secrets: await this.#secret(volume.stageSecret), volumeContext: volume.attributes });
      });
      if (!block) await during("MountVolume.MountDevice failed while expanding volume", volume, () => this.#grow(volume, driver, stagingPath, stagingPath));
    }
    await during(block ? "MapVolume.MapPodDevice failed" : "MountVolume.SetUp failed", volume, async () => {
      // The driver makes the target itself.
      mkdirSync(dirname(targetPath), { recursive: true, mode: 0o750 });
      await this.#publish(volume, driver, spec, stagingPath, publishContext);
      if (!block && !await this.#mountGroup(volume, driver)) await this.#applyFsGroup(volume, spec, targetPath);
    });
    if (block || !stagingPath) await during("MountVolume.Setup failed while expanding volume", volume, () => this.#grow(volume, driver, targetPath, stagingPath));
    writeVolumeData(directory, { ...data, published: true });
  }

  async #publish(volume: CsiVolume, driver: CsiDriver, spec: Frozen<CSIDriverSpec>, stagingPath: string | undefined, context?: Record<string, string>): Promise<void> {
    const publishContext = context ?? (volume.ephemeral || spec.attachRequired === false ? {} : await this.#attachmentMetadata(volume));
    const { targetPath } = placesOf(this.options.rootDir, volume);
    const tokens = await this.#tokens(volume, spec), secrets = await this.#secret(volume.publishSecret);
    await driver.publish({
      ...await this.#common(volume, driver, publishContext), ...(stagingPath ? { stagingTargetPath: stagingPath } : {}), targetPath, readonly: volume.readOnly,
      secrets: spec.serviceAccountTokenInSecrets ? { ...secrets, ...tokens } : secrets,
      volumeContext: { ...volume.attributes, ...podInfo(volume, spec), ...(spec.serviceAccountTokenInSecrets ? {} : tokens) },
    });
  }

  async #common(volume: CsiVolume, driver: CsiDriver, publishContext: Record<string, string>) {
    return { volumeId: volume.volumeHandle, publishContext, volumeCapability: capabilityOf(volume, await driver.can("singleNodeMultiWriter"), await this.#mountGroup(volume, driver)) };
  }

  /** The pod's fsGroup, where the driver itself sees to it. */
  async #mountGroup({ pod }: CsiVolume, driver: CsiDriver): Promise<string | undefined> {
    const group = pod.spec.securityContext?.fsGroup;
    return group !== undefined && await driver.can("volumeMountGroup") ? String(group) : undefined;
  }

  async #grow(volume: CsiVolume, driver: CsiDriver, volumePath: string, stagingPath: string | undefined): Promise<void> {
    await this.#expansions.follow(volume, {
      able: await driver.can("expandVolume"),
      grow: async (requiredBytes) => driver.expand({
        volumeId: volume.volumeHandle, volumePath, capacityRange: { requiredBytes }, ...(stagingPath ? { stagingTargetPath: stagingPath } : {}),
        volumeCapability: capabilityOf(volume, await driver.can("singleNodeMultiWriter")), secrets: await this.#secret(volume.expandSecret),
      }),
    });
  }

  async #figures({ driver: name, volumeHandle }: CsiVolume, path: string): Promise<VolumeFigures | undefined> {
    const driver = this.options.drivers.get(name);
    return driver && await driver.can("getVolumeStats") ? driver.stats(volumeHandle, path) : undefined;
  }

  async #tearDown(uid: string, directory: string, { driverName, volumeHandle, targetPath, stagingPath }: VolumeData): Promise<void> {
    const driver = this.#driver(driverName, "Unmounter.TearDownAt failed to get CSI client");
    await takenBack(driver.unpublish(volumeHandle, targetPath));
    removePlace(targetPath);
    const id = idOf(driverName, volumeHandle);
    const isLast = !this.#given().some((other) => other.uid !== uid && idOf(other.data.driverName, other.data.volumeHandle) === id);
    if (stagingPath && isLast) {
      await takenBack(driver.unstage(volumeHandle, stagingPath));
      removePlace(stagingPath);
    }
    rmSync(directory, { recursive: true, force: true });
    if (isLast) this.#expansions.forget(id);
    this.#leave(id, uid);
  }

  #driver(name: string, what: string): CsiDriver {
    const driver = this.options.drivers.get(name);
    if (!driver) throw new DriverMissing(`kubernetes.io/csi: ${what}: driver name ${name} not found in the list of registered CSI drivers`);
    return driver;
  }

  #given(): { uid: string; data: VolumeData }[] {
    const pods = join(this.options.rootDir, "pods");
    return (existsSync(pods) ? readdirSync(pods) : []).flatMap((uid) => volumeDataBelow(join(pods, uid)).map(({ data }) => ({ uid, data })));
  }

  /**
   * What attaching has given. The volume is attached when the Node's status says so, and stays so while that says that it is in use: only what
   * has been told there is safe from being detached. Source: operationexecutor's VerifyControllerAttachedVolume.
   */
  async #attached(volume: CsiVolume): Promise<Record<string, string>> {
    const name = uniqueName(idOf(volume.driver, volume.volumeHandle)), { volumesInUse = [], volumesAttached = [] } = this.options.node()?.status ?? {};
    if (!volumesInUse.includes(name)) throw new VolumePending(`volume ${name} has not been added to the list of VolumesInUse in the node's volume status`);
    if (!volumesAttached.some((attached) => attached.name === name)) throw new VolumePending(`volume ${name} is not yet in node's status`);
    return this.#attachmentMetadata(volume);
  }

  async #attachmentMetadata(volume: CsiVolume): Promise<Record<string, string>> {
    const name = attachmentName(volume, this.options.nodeName);
    const { status } = (await this.options.attachment(name)) ?? {};
    if (!status?.attached) throw new Error(`kubernetes.io/csi: volume attachment ${name} is not attached yet${status?.attachError?.message ? `: ${status.attachError.message}` : ""}`);
    return { ...status.attachmentMetadata };
  }

  async #secret(key: SecretKey | undefined): Promise<Record<string, string>> {
    if (!key) return {};
    const { data = {} } = await this.options.client.get(secrets, key);
    return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, Buffer.from(value, "base64").toString()]));
  }

  /** Source: https://kubernetes-csi.github.io/docs/token-requests.html */
  async #tokens({ pod }: CsiVolume, { tokenRequests = [] }: Frozen<CSIDriverSpec>): Promise<Record<string, string>> {
    if (tokenRequests.length === 0) return {};
    const tokens = await Promise.all(tokenRequests.map(async ({ audience, expirationSeconds = 3600 }) => {
      const { token, renewAt } = await this.options.token(pod, audience || undefined, expirationSeconds);
      return [audience, { token, expirationTimestamp: new Date(renewAt).toISOString() }] as const;
    }));
    return { "csi.storage.k8s.io/serviceAccount.tokens": JSON.stringify(Object.fromEntries(tokens)) };
  }

  /** Source: https://kubernetes-csi.github.io/docs/support-fsgroup.html */
  async #applyFsGroup({ pod, readOnly, fsType, accessModes }: CsiVolume, { fsGroupPolicy = "ReadWriteOnceWithFSType" }: Frozen<CSIDriverSpec>, path: string): Promise<void> {
    const { fsGroup, fsGroupChangePolicy } = pod.spec.securityContext ?? {};
    const isOfOne = fsType !== undefined && accessModes.some((mode) => mode === "ReadWriteOnce" || mode === "ReadWriteOncePod");
    if (fsGroup === undefined || readOnly || fsGroupPolicy === "None" || (fsGroupPolicy !== "File" && !isOfOne)) return;
    await applyFsGroup(path, fsGroup, fsGroupChangePolicy === "OnRootMismatch");
  }
}

/** What the driver wants to know of the pod. Source: https://kubernetes-csi.github.io/docs/pod-info.html */
function podInfo({ pod, ephemeral }: CsiVolume, { podInfoOnMount }: Frozen<CSIDriverSpec>): Record<string, string> {
  if (!podInfoOnMount) return {};
  const { namespace = "", name = "", uid = "" } = pod.metadata;
  return {
    "csi.storage.k8s.io/pod.name": name, "csi.storage.k8s.io/pod.namespace": namespace, "csi.storage.k8s.io/pod.uid": uid,
    "csi.storage.k8s.io/serviceAccount.name": pod.spec.serviceAccountName || "default", "csi.storage.k8s.io/ephemeral": String(ephemeral),
  };
}

/** Names the step that failed, as Kubernetes' Events do. */
async function during(step: string, { name, block }: CsiVolume, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw new MountError(`${step} for volume "${name}" : ${errorText(error)}`, { reason: block ? "FailedMapVolume" : "FailedMount", cause: error });
  }
}

const takenBack = (call: Promise<void>): Promise<void> => call.catch((error: unknown) => {
  throw new TearDownFailed(errorText(error), { cause: error });
});

/** The place of a mount that has gone: a directory, or a file for a device. What is mounted still, or has something in it, stays. */
function removePlace(path: string): void {
  if (isMountPoint(path)) throw new Error(`still mounted, not deleting: ${path}`);
  try {
    rmdirSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOTDIR") rmSync(path, { force: true });
    else if (code !== "ENOENT") throw error;
  }
}
