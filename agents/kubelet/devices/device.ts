/** One device of a resource, as whoever offers it tells of it. */
export interface Device {
  id: string;
  healthy: boolean;
  /** Which memory it is next to; empty when that makes no difference. */
  numaNodes: readonly number[];
}

/** What a container gets together with its devices. */
export interface DeviceGrant {
  envs: Readonly<Record<string, string>>;
  mounts: readonly { containerPath: string; hostPath: string; readOnly: boolean }[];
  /** `permissions` of r, w and m (mknod). */
  devices: readonly { containerPath: string; hostPath: string; permissions: string }[];
  annotations: Readonly<Record<string, string>>;
  /** Qualified names of the Container Device Interface. */
  cdiDevices: readonly string[];
}

export const noGrant: DeviceGrant = { envs: {}, mounts: [], devices: [], annotations: {}, cdiDevices: [] };

/** Offers the devices of one resource: a device plugin, or this node's own configuration. */
export interface DeviceSource {
  /** An extended resource, such as `example.com/serial`. */
  readonly resource: string;
  /** Throws an Error when the devices can't be had. */
  allocate(ids: readonly string[]): Promise<DeviceGrant>;
  /** Which `size` of the available devices it would give; `mustInclude` are among them. */
  preferred?(available: readonly string[], mustInclude: readonly string[], size: number): Promise<readonly string[]>;
  /** What comes with devices given before, where that may have changed since, as a path does when a plug is pulled and put back. Throws an Error while one is not there. */
  renewed?(ids: readonly string[]): DeviceGrant;
  /** Makes devices ready, before each start of the container. */
  beforeStart?(ids: readonly string[]): Promise<void>;
}

/** Several grants as one; what comes later wins where both say something of the same name. */
export function mergeGrants(grants: readonly DeviceGrant[]): DeviceGrant {
  return {
    envs: Object.assign({}, ...grants.map(({ envs }) => envs)), annotations: Object.assign({}, ...grants.map(({ annotations }) => annotations)),
    mounts: grants.flatMap(({ mounts }) => mounts), devices: grants.flatMap(({ devices }) => devices), cdiDevices: grants.flatMap(({ cdiDevices }) => cdiDevices),
  };
}
