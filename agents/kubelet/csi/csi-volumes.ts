import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import { isNotFound } from "../../../src/apimachinery/status.ts";
import { secrets } from "../../../src/apis/core/secret.ts";
import type { Node } from "../../../src/apis/generated/core/v1.ts";
import type { CSIDriverSpec } from "../../../src/apis/generated/storage/v1.ts";
import { csidrivers } from "../../../src/apis/storage/csidriver.ts";
import { volumeattachments } from "../../../src/apis/storage/volumeattachment.ts";
import type { Clock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import type { Client } from "../../../src/client/client.ts";
import type { Pod } from "../pod/pod.ts";
import { isMountPoint } from "../volumes/mount.ts";
import { applyFsGroup } from "../volumes/ownership.ts";
import type { MountedVolume, VolumeSources } from "../volumes/volume.ts";
import { accessModes, type VolumeCapability } from "./csi-api.ts";
import { CsiDriver } from "./csi-driver.ts";
import { CsiNodeObject } from "./csi-node.ts";
import { followPlugins, type PluginInfo } from "./plugin-registry.ts";
import { deviceFolder, filesystemFolder, volumeDataBelow, writeVolumeData, type VolumeData } from "./volume-data.ts";

/** A volume of a driver, for one pod. */
export interface CsiVolume {
  pod: Pod;
  /** Of the PersistentVolume, or of the pod's own volume. */
  name: string;
  driver: string;
  volumeHandle: string;
  /** One of the pod's own, which comes and goes with it. */
  ephemeral: boolean;
  block: boolean;
  readOnly: boolean;
  fsType?: string;
  accessModes: readonly string[];
  mountOptions: readonly string[];
  attributes: Readonly<Record<string, string>>;
  stageSecret?: SecretKey;
  publishSecret?: SecretKey;
}

interface SecretKey {
  namespace: string;
  name: string;
}

export interface CsiOptions {
  /** The kubelet's. */
  rootDir: string;
  nodeName: string;
  client: Client;
  clock: Clock;
  log: Logger;
  node(): Frozen<Node> | undefined;
  token: VolumeSources["token"];
  /** Drivers came: pods that wait for one may try again. */
  onDrivers(): void;
  /** Other volumes are in use than before. */
  onInUse(): void;
}

/** Drivers that want to be told again get tokens that are fresh. */
const republishMs = 60_000;

/**
 * Volumes of CSI drivers. Each volume is handled by one call at a time, all calls may be repeated, and what a pod was given is written down
 * beside it before: so a kubelet that was killed goes on where it was. Source: k8s.io/kubernetes/pkg/volume/csi, https://kubernetes-csi.github.io/docs/
 */
export class CsiVolumes {
  readonly #drivers = new Map<string, CsiDriver>();
  readonly #object: CsiNodeObject;
  /** The last call for each volume, `<driver>^<handle>`. */
  readonly #busy = new Map<string, Promise<unknown>>();
  readonly #inUse = new Map<string, Set<string>>();
  constructor(private readonly options: CsiOptions) {
    this.#object = new CsiNodeObject(options);
    for (const { uid, data } of this.#given()) this.#users(data).add(uid);
  }

  /** Follows the drivers until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { rootDir, clock, log } = this.options;
    await followPlugins({
      directory: join(rootDir, "plugins_registry"), clock, log, register: (plugin) => this.#register(plugin),
      withdraw: (plugin) => {
        // The kubelet that ends takes nothing away: its successor finds the drivers where they are.
        if (!signal.aborted) this.#withdraw(plugin);
      },
    }, signal);
    for (const driver of this.#drivers.values()) driver.close();
  }

  /** As the Node's status names them. */
  inUse(): string[] {
    return [...this.#inUse.keys()].map((id) => `kubernetes.io/csi/${id}`).toSorted();
  }

  /** Gives a volume to a pod: waits for nobody, throws with the reason as long as it can't be. */
  setUp(volume: CsiVolume): Promise<MountedVolume> {
    return this.#oneAtATime(idOf(volume.driver, volume.volumeHandle), () => this.#setUp(volume));
  }

  /** Takes back all volumes that a pod was given. Throws when a driver can't: nothing of the pod may be deleted then. */
  async tearDown(uid: string): Promise<void> {
    for (const { directory, data } of volumeDataBelow(this.#podDirectory(uid))) {
      await this.#oneAtATime(idOf(data.driverName, data.volumeHandle), () => this.#tearDown(uid, directory, data));
    }
  }

  #podDirectory(uid: string): string {
    return join(this.options.rootDir, "pods", uid);
  }

  #oneAtATime<T>(id: string, work: () => Promise<T>): Promise<T> {
    const done = (this.#busy.get(id) ?? Promise.resolve()).then(work, work);
    const settled = done.then(() => {}, () => {}).then(() => {
      if (this.#busy.get(id) === settled) this.#busy.delete(id);
    });
    this.#busy.set(id, settled);
    return done;
  }

  async #register({ type, name, endpoint, versions }: PluginInfo): Promise<void> {
    if (type !== "CSIPlugin") throw new Error(`plugins of the type ${JSON.stringify(type)} don't register here`);
    if (!versions.some((version) => /^v?1\./.test(version))) throw new Error(`none of the versions [${versions.join(", ")}] of the driver ${name} is supported: the node speaks CSI 1.x`);
    this.#drivers.get(name)?.close();
    const driver = new CsiDriver(name, endpoint);
    try {
      await this.#object.add(name, await driver.info());
    } catch (error) {
      driver.close();
      throw error;
    }
    this.#drivers.set(name, driver);
    this.options.onDrivers();
  }

  #withdraw({ name }: PluginInfo): void {
    this.#drivers.get(name)?.close();
    this.#drivers.delete(name);
    this.#object.remove(name).catch((error: unknown) => this.options.log.warn("A driver that has gone is still in the CSINode", { driver: name, error }));
  }

  #driver(name: string): CsiDriver {
    const driver = this.#drivers.get(name);
    if (!driver) throw new Error(`driver name ${name} not found in the list of registered CSI drivers`);
    return driver;
  }

  async #setUp(volume: CsiVolume): Promise<MountedVolume> {
    const { rootDir, clock } = this.options;
    const driver = this.#driver(volume.driver);
    const { pod, name, block, readOnly } = volume, uid = pod.metadata.uid!;
    const spec = await this.#specOf(volume.driver);
    if (volume.ephemeral && !spec.volumeLifecycleModes?.includes("Ephemeral")) throw new Error(`volume mode "Ephemeral" not supported by driver ${volume.driver} (supports ${JSON.stringify(spec.volumeLifecycleModes ?? ["Persistent"])})`);
    const directory = join(this.#podDirectory(uid), block ? deviceFolder : filesystemFolder, name);
    const targetPath = block ? join(rootDir, "plugins/kubernetes.io/csi/volumeDevices/publish", name, uid) : join(directory, "mount");
    const mounted: MountedVolume = { path: targetPath, ...(readOnly ? { readOnly } : {}), ...(block ? { device: true } : {}), ...(spec.requiresRepublish ? { refreshAt: clock.now() + republishMs } : {}) };
    if (!spec.requiresRepublish && isMountPoint(targetPath)) return mounted;

    const stages = !volume.ephemeral && await driver.can("stageUnstage");
    const stagingPath = stages ? this.#stagingPath(volume) : undefined;
    writeVolumeData(directory, { driverName: volume.driver, volumeHandle: volume.volumeHandle, specVolID: name, targetPath, ...(stagingPath ? { stagingPath } : {}) });
    const users = this.#users({ driverName: volume.driver, volumeHandle: volume.volumeHandle });
    if (users.size === 0) this.options.onInUse();
    users.add(uid);

    const publishContext = volume.ephemeral ? {} : await this.#attached(volume, spec);
    const mountGroup = pod.spec.securityContext?.fsGroup !== undefined && await driver.can("volumeMountGroup") ? String(pod.spec.securityContext.fsGroup) : undefined;
    const volumeCapability = capabilityOf(volume, await driver.can("singleNodeMultiWriter"), mountGroup);
    const common = { volumeId: volume.volumeHandle, publishContext, volumeCapability };
    if (stagingPath && !isMountPoint(stagingPath)) {
      mkdirSync(stagingPath, { recursive: true, mode: 0o750 });
      await driver.stage({ ...common, stagingTargetPath: stagingPath, secrets: await this.#secret(volume.stageSecret), volumeContext: volume.attributes });
    }
    // The driver makes the target itself.
    mkdirSync(dirname(targetPath), { recursive: true, mode: 0o750 });
    await driver.publish({ ...common, ...(stagingPath ? { stagingTargetPath: stagingPath } : {}), targetPath, readonly: readOnly, secrets: await this.#secret(volume.publishSecret), volumeContext: { ...volume.attributes, ...await this.#about(volume, spec) } });
    if (!mountGroup && !block) await this.#applyFsGroup(volume, spec, targetPath);
    return mounted;
  }

  async #tearDown(uid: string, directory: string, { driverName, volumeHandle, targetPath, stagingPath }: VolumeData): Promise<void> {
    const driver = this.#driver(driverName);
    await driver.unpublish(volumeHandle, targetPath);
    removePlace(targetPath);
    const id = idOf(driverName, volumeHandle);
    const isLast = !this.#given().some((other) => other.uid !== uid && idOf(other.data.driverName, other.data.volumeHandle) === id);
    if (stagingPath && isLast) {
      await driver.unstage(volumeHandle, stagingPath);
      removePlace(stagingPath);
    }
    rmSync(directory, { recursive: true, force: true });
    const users = this.#inUse.get(id);
    users?.delete(uid);
    if (users?.size === 0 && this.#inUse.delete(id)) this.options.onInUse();
  }

  #given(): { uid: string; data: VolumeData }[] {
    const pods = join(this.options.rootDir, "pods");
    return (existsSync(pods) ? readdirSync(pods) : []).flatMap((uid) => volumeDataBelow(join(pods, uid)).map(({ data }) => ({ uid, data })));
  }

  #users({ driverName, volumeHandle }: Pick<VolumeData, "driverName" | "volumeHandle">): Set<string> {
    const id = idOf(driverName, volumeHandle), users = this.#inUse.get(id) ?? new Set<string>();
    this.#inUse.set(id, users);
    return users;
  }

  #stagingPath({ driver, volumeHandle, name, block }: CsiVolume): string {
    const root = join(this.options.rootDir, "plugins/kubernetes.io/csi");
    return block ? join(root, "volumeDevices/staging", name) : join(root, driver, createHash("sha256").update(volumeHandle).digest("hex"), "globalmount");
  }

  /** A driver without an object is taken for one with the defaults. */
  async #specOf(name: string): Promise<Frozen<CSIDriverSpec>> {
    try {
      return (await this.options.client.get(csidrivers, { name })).spec;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return { attachRequired: true };
    }
  }

  /** What attaching has given, where the driver's volumes have to be attached. */
  async #attached({ driver, volumeHandle, name }: CsiVolume, { attachRequired = true }: Frozen<CSIDriverSpec>): Promise<Record<string, string>> {
    if (!attachRequired) return {};
    const { client, nodeName } = this.options;
    const attachment = `csi-${createHash("sha256").update(`${volumeHandle}${driver}${nodeName}`).digest("hex")}`;
    const { status } = await client.get(volumeattachments, { name: attachment });
    if (!status?.attached) throw new Error(`volume ${name} is not attached to the node yet${status?.attachError?.message ? `: ${status.attachError.message}` : ""}`);
    return { ...status.attachmentMetadata };
  }

  async #secret(key: SecretKey | undefined): Promise<Record<string, string>> {
    if (!key) return {};
    const { data = {} } = await this.options.client.get(secrets, key);
    return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, Buffer.from(value, "base64").toString()]));
  }

  /** What the driver wants to know of the pod. Source: https://kubernetes-csi.github.io/docs/pod-info.html, token-requests.html */
  async #about({ pod, ephemeral }: CsiVolume, { podInfoOnMount, tokenRequests = [] }: Frozen<CSIDriverSpec>): Promise<Record<string, string>> {
    const { namespace = "", name = "", uid = "" } = pod.metadata;
    const tokens = await Promise.all(tokenRequests.map(async ({ audience, expirationSeconds = 3600 }) => {
      const { token, renewAt } = await this.options.token(pod, audience || undefined, expirationSeconds);
      return [audience, { token, expirationTimestamp: new Date(renewAt).toISOString() }] as const;
    }));
    return {
      ...(podInfoOnMount ? { "csi.storage.k8s.io/pod.name": name, "csi.storage.k8s.io/pod.namespace": namespace, "csi.storage.k8s.io/pod.uid": uid, "csi.storage.k8s.io/serviceAccount.name": pod.spec.serviceAccountName || "default", "csi.storage.k8s.io/ephemeral": String(ephemeral) } : {}),
      ...(tokens.length > 0 ? { "csi.storage.k8s.io/serviceAccount.tokens": JSON.stringify(Object.fromEntries(tokens)) } : {}),
    };
  }

  /** Source: https://kubernetes-csi.github.io/docs/support-fsgroup.html */
  async #applyFsGroup({ pod, readOnly, fsType, accessModes: modes }: CsiVolume, { fsGroupPolicy = "ReadWriteOnceWithFSType" }: Frozen<CSIDriverSpec>, path: string): Promise<void> {
    const { fsGroup, fsGroupChangePolicy } = pod.spec.securityContext ?? {};
    const isOfOne = fsType !== undefined && modes.length > 0 && modes.every((mode) => mode === "ReadWriteOnce" || mode === "ReadWriteOncePod");
    if (fsGroup === undefined || readOnly || fsGroupPolicy === "None" || (fsGroupPolicy !== "File" && !isOfOne)) return;
    await applyFsGroup(path, fsGroup, fsGroupChangePolicy === "OnRootMismatch");
  }
}

const idOf = (driver: string, volumeHandle: string): string => `${driver}^${volumeHandle}`;

function capabilityOf({ block, fsType, mountOptions, accessModes: modes }: CsiVolume, isPrecise: boolean, volumeMountGroup: string | undefined): VolumeCapability {
  const order = ["ReadWriteMany", "ReadOnlyMany", "ReadWriteOnce", "ReadWriteOncePod"];
  const { mode, precise } = accessModes[order.find((name) => modes.includes(name)) ?? "ReadWriteOnce"]!;
  const access = { accessMode: { mode: isPrecise ? precise ?? mode : mode } };
  return block ? { block: {}, ...access } : { mount: { ...(fsType ? { fsType } : {}), mountFlags: [...mountOptions], ...(volumeMountGroup ? { volumeMountGroup } : {}) }, ...access };
}

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
