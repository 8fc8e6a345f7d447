import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { ConfigMap, PersistentVolume, PersistentVolumeClaim, Secret, Volume as VolumeSpec } from "../../../src/apis/generated/core/v1.ts";
import type { VolumeFigures } from "../csi/csi-driver.ts";
import type { CsiVolumes } from "../csi/csi-volumes.ts";
import type { PodAddresses } from "../env/field-ref.ts";
import type { Allocatable } from "../env/resource-field-ref.ts";
import type { Pod } from "../pod/pod.ts";

export type Volume = Frozen<VolumeSpec>;

/** A bound service-account token. */
export interface ServiceAccountToken {
  token: string;
  /** When another will be had for the asking, in milliseconds since the epoch as the clock is set now. */
  renewAt: number;
}

/** What volumes are filled from. Missing objects are undefined. */
export interface VolumeSources {
  nodeName: string;
  allocatable: Allocatable;
  addresses(pod: Pod): PodAddresses;
  configMap(namespace: string, name: string): Promise<Frozen<ConfigMap> | undefined>;
  secret(namespace: string, name: string): Promise<Frozen<Secret> | undefined>;
  /** As the API has them now; as it had them last while it is away. */
  claim(namespace: string, name: string): Promise<Frozen<PersistentVolumeClaim> | undefined>;
  persistentVolume(name: string): Promise<Frozen<PersistentVolume> | undefined>;
  /** Of this node's object; empty before it is there. */
  nodeLabels(): Readonly<Record<string, string>>;
  /** Volumes of drivers. */
  csi: Pick<CsiVolumes, "setUp" | "tearDown">;
  /** Where volumes of the class `local-path` lie. */
  storageDirectory: string;
  token(pod: Pod, audience: string | undefined, expirationSeconds: number): Promise<ServiceAccountToken>;
  /** The pod has gone: what was kept for it may be forgotten. */
  forget(uid: string): void;
  now(): number;
  /** Milliseconds that pass, however the clock is set. */
  monotonic(): number;
}

export interface VolumeContext extends VolumeSources {
  pod: Pod;
  volume: Volume;
  /** The volume's own directory, for plugins that have one; made by the plugin. */
  directory: string;
}

/** What a plugin has set up. */
export interface MountedVolume {
  /** What containers mount. */
  path: string;
  /** The image whose files the runtime itself mounts; `path` is of no use then. */
  image?: string;
  /** `path` is a block device, for containers that ask for one. */
  device?: boolean;
  /** No container may write to it. */
  readOnly?: boolean;
  /** When it must be set up again at the latest (a token that wears out), in milliseconds since the epoch. */
  refreshAt?: number;
  /** What it stands for has changed since: it must be set up again. */
  isStale?(): boolean;
  /** The pod can use it, but its driver, which may have more to do for it, is away: whoever wakes the pod has it looked at again. */
  provisional?: boolean;
  /** Of volumes of drivers. */
  driver?: {
    /** What its driver says of it; undefined when that says nothing. */
    figures(): Promise<VolumeFigures | undefined>;
  };
}

/** One kind of volume. `setUp` may run any number of times: it makes what is missing and refreshes what has changed. */
export interface VolumePlugin {
  /** The directory below the pod's `volumes/`, such as `kubernetes.io~empty-dir`; as the kubelet's, so that familiar paths hold. */
  name: string;
  supports(volume: Volume): boolean;
  /** True when the content follows the API while the pod runs. */
  refreshes: boolean;
  setUp(context: VolumeContext): MountedVolume | Promise<MountedVolume>;
  /** The pod has gone: what was kept of it may be forgotten. */
  forget?(uid: string): void;
}
