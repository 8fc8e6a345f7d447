import { closeSync, chmodSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { VolumeMount as VolumeMountSpec } from "../../../src/apis/generated/core/v1.ts";
import { MountPropagation, type Device, type Mount } from "../../cri/generated/messages.ts";
import { expand } from "../env/expansion.ts";
import type { Container, Pod } from "../pod/pod.ts";
import type { PodVolumes, Volumes } from "../volumes/volumes.ts";

type VolumeMount = Frozen<VolumeMountSpec>;

const propagation = { None: MountPropagation.PROPAGATION_PRIVATE, HostToContainer: MountPropagation.PROPAGATION_HOST_TO_CONTAINER, Bidirectional: MountPropagation.PROPAGATION_BIDIRECTIONAL } as const;

export interface MountSettings {
  volumes: Volumes;
  podVolumes: PodVolumes;
  env: ReadonlyMap<string, string>;
  restartCount: number;
  hosts: string;
  /** Whether the runtime can make all that is mounted below a volume read-only with it. */
  recursiveReadOnly: boolean;
}

/** The container's volumes, its /etc/hosts unless it brings one, and the file for its termination message. Makes the files. */
export function containerMounts(pod: Pod, container: Container, { volumes, podVolumes, env, restartCount, hosts, recursiveReadOnly }: MountSettings): Mount[] {
  const directory = volumes.podDirectory(pod.metadata.uid!);
  const mounts: Mount[] = (container.volumeMounts ?? []).map((mount, index) => {
    const volume = podVolumes.mounted.get(mount.name);
    if (!volume || volume.device) throw new Error(`cannot find volume "${mount.name}" to mount into container "${container.name}"`);
    const subPath = mount.subPathExpr ? expandAll(mount.subPathExpr, env) : mount.subPath;
    if (subPath?.startsWith("/")) throw new Error(`error SubPath \`${subPath}\` must not be an absolute path`);
    if (subPath?.split("/").includes("..")) throw new Error(`unable to provision SubPath \`${subPath}\`: must not contain '..'`);
    const isRecursive = recursivelyReadOnly(mount, recursiveReadOnly);
    if (volume.image) return { containerPath: absolute(mount.mountPath), image: { image: volume.image }, ...(subPath ? { imageSubPath: subPath } : {}), readonly: true };
    return {
      containerPath: absolute(mount.mountPath),
      hostPath: subPath ? prepared(mount.name, container.name, () => volumes.subPath(pod, mount.name, volume.path, subPath, container.name, index)) : volume.path,
      readonly: (mount.readOnly ?? false) || (volume.readOnly ?? false),
      propagation: propagation[mount.mountPropagation ?? "None"], ...(isRecursive ? { recursiveReadOnly: true } : {}),
    };
  });
  if (!mounts.some((mount) => mount.containerPath === "/etc/hosts")) {
    mkdirSync(directory, { recursive: true });
    const path = join(directory, "etc-hosts");
    writeFileSync(path, hosts, { mode: 0o644 });
    mounts.push({ containerPath: "/etc/hosts", hostPath: path, readonly: false });
  }
  const messagePath = container.terminationMessagePath ?? "/dev/termination-log";
  const messageFile = join(directory, "containers", container.name, String(restartCount));
  mkdirSync(dirname(messageFile), { recursive: true });
  closeSync(openSync(messageFile, "w"));
  chmodSync(messageFile, 0o666);
  mounts.push({ containerPath: messagePath, hostPath: messageFile, readonly: false });
  return mounts;
}

/** As Kubernetes words it, with the reason. */
function prepared(volume: string, container: string, subPath: () => string): string {
  try {
    return subPath();
  } catch (error) {
    throw new Error(`failed to prepare subPath for volumeMount "${volume}" of container "${container}": ${(error as Error).message}`, { cause: error });
  }
}

/** The volumes that the container wants as devices. */
export function containerDevices(container: Container, { mounted }: PodVolumes): Device[] {
  return (container.volumeDevices ?? []).map(({ name, devicePath }) => {
    const volume = mounted.get(name);
    if (!volume?.device) throw new Error(`volume "${name}" is no block device for container "${container.name}"`);
    return { containerPath: devicePath, hostPath: volume.path, permissions: volume.readOnly ? "r" : "mrw" };
  });
}

/** Whether what is mounted below is to be read-only too. Throws where that can't be had. Source: KEP-3857, kubelet's resolveRecursiveReadOnly. */
export function recursivelyReadOnly({ name, readOnly, recursiveReadOnly = "Disabled", mountPropagation = "None" }: VolumeMount, isSupported: boolean): boolean {
  if (recursiveReadOnly === "Disabled") return false;
  const fail = (reason: string): never => {
    throw new Error(`failed to resolve recursive read-only mode: volume "${name}" requested recursive read-only mode, but it is ${reason}`);
  };
  if (!readOnly) fail("not read-only");
  if (mountPropagation !== "None") fail(`not compatible with propagation "${mountPropagation}"`);
  if (recursiveReadOnly === "Enabled" && !isSupported) fail("not supported by the runtime");
  return isSupported;
}

const absolute = (path: string): string => (path.startsWith("/") ? path : `/${path}`);

function expandAll(expression: string, env: ReadonlyMap<string, string>): string {
  const missing: string[] = [];
  const result = expand(expression, (name) => {
    const value = env.get(name);
    if (value === undefined) missing.push(name);
    return value;
  });
  if (missing.length > 0) throw new Error(`missing value for ${missing.map((name) => JSON.stringify(name)).join(", ")}`);
  return result;
}
