import type { ResourceStatus } from "../../../src/apis/generated/core/v1.ts";
import type { Clock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import type { Container, Pod } from "../pod/pod.ts";
import { choicesFor, choose, takersOf, wantedDevices } from "./allocation.ts";
import type { Allocation, Allocations, DeviceCheckpoints } from "./device-checkpoint.ts";
import { mergeGrants, type Device, type DeviceGrant, type DeviceSource } from "./device.ts";

export interface DeviceManagerOptions {
  checkpoints: DeviceCheckpoints;
  clock: Clock;
  log: Logger;
  /** How many devices there are has changed. */
  onCapacity(): void;
  /** A device that these pods have became healthy, or ceased to be. */
  onHealth(uids: readonly string[]): void;
}

interface Offered {
  devices: ReadonlyMap<string, Device>;
  /** Undefined while nobody offers the resource. */
  source?: DeviceSource;
}

/** How long a resource whose plugin has gone still counts as the node's; as long as Kubernetes waits (endpointStopGracePeriod). */
const goneMs = 5 * 60_000;

/**
 * Who offers devices, who has them, and who gets them. Sources come and go; what was given stays given until the pod has ended, across restarts.
 * Source: https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/
 */
export class DeviceManager {
  readonly #offered = new Map<string, Offered>();
  readonly #allocations: Allocations;
  /** Pods get their devices one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  constructor(private readonly options: DeviceManagerOptions) {
    const { resources, pods } = options.checkpoints.read();
    for (const resource of resources) this.#offered.set(resource, { devices: new Map() });
    this.#allocations = pods;
  }

  /** A source begins to offer its resource, in place of any before it; it tells its devices by `update`. */
  offer(source: DeviceSource): void {
    const before = this.#offered.get(source.resource);
    this.#offered.set(source.resource, { devices: before?.devices ?? new Map(), source });
    if (!before) this.#save();
  }

  update(source: DeviceSource, devices: readonly Device[]): void {
    const offered = this.#offered.get(source.resource);
    if (offered?.source !== source) return;
    this.#replace(source.resource, { source, devices: new Map(devices.map((device) => [device.id, device])) });
  }

  /** A source has gone: its devices are not healthy until somebody offers them again, and no more the node's after some minutes. */
  withdraw(source: DeviceSource, signal: AbortSignal): void {
    const { resource } = source, offered = this.#offered.get(resource);
    if (offered?.source !== source) return;
    const left: Offered = { devices: new Map([...offered.devices].map(([id, device]) => [id, { ...device, healthy: false }])) };
    this.#replace(resource, left);
    this.options.clock.sleep(goneMs, signal).then(() => {
      if (this.#offered.get(resource) === left) this.#replace(resource, { devices: new Map() });
    }, () => undefined);
  }

  /** Whether pods get this resource from here. */
  readonly manages = (resource: string): boolean => this.#offered.has(resource);

  /** All devices, and those that work. */
  capacity(): { capacity: Record<string, string>; allocatable: Record<string, string> } {
    const count = (of: (devices: Device[]) => number): Record<string, string> => Object.fromEntries([...this.#offered].map(([resource, { devices }]) => [resource, String(of([...devices.values()]))]));
    return { capacity: count((devices) => devices.length), allocatable: count((devices) => devices.filter(({ healthy }) => healthy).length) };
  }

  /** Gives a pod's containers their devices; else gives nothing, and says why. `isActive` tells of other pods whether they still have theirs. */
  allocate(pod: Pod, isActive: (uid: string) => boolean): Promise<string | undefined> {
    if (takersOf(pod).every(({ container }) => wantedDevices(container, this.manages).length === 0)) return Promise.resolve(undefined);
    const turn = this.#turn.then(() => this.#allocate(pod, isActive)).then(() => undefined, (error: unknown) => {
      this.#forget(pod.metadata.uid!);
      return error instanceof Error ? error.message : String(error);
    });
    this.#turn = turn;
    return turn.finally(() => this.#save());
  }

  /** The pod has ended, or has not been taken. */
  release(uid: string): void {
    if (this.#forget(uid)) this.#save();
  }

  /** What a container was given with its devices; makes them ready where their source wants to. Throws when it can't. */
  async grantFor(pod: Pod, container: Container): Promise<DeviceGrant> {
    const allocations = Object.entries(this.#allocations[pod.metadata.uid!]?.[container.name] ?? {});
    const grants: DeviceGrant[] = [];
    for (const [resource, { ids, grant }] of allocations) {
      const source = this.#offered.get(resource)?.source;
      await source?.beforeStart?.(ids);
      grants.push(source?.renewed?.(ids) ?? grant);
    }
    return mergeGrants(grants);
  }

  /** What `allocatedResourcesStatus` says of a container's devices; undefined when it has none. */
  statusOf(uid: string, container: string): ResourceStatus[] | undefined {
    const allocations = Object.entries(this.#allocations[uid]?.[container] ?? {});
    if (allocations.length === 0) return undefined;
    return allocations.map(([name, { ids }]) => ({ name, resources: ids.map((resourceID) => ({ resourceID, health: this.#healthOf(name, resourceID) })) }));
  }

  /** By uid, container and resource. */
  get allocations(): Readonly<Allocations> {
    return this.#allocations;
  }

  /** All that there are, by resource. */
  *devices(): Iterable<[resource: string, devices: Iterable<Device>]> {
    for (const [resource, { devices }] of this.#offered) yield [resource, devices.values()];
  }

  #healthOf(resource: string, id: string): string {
    const { source, devices } = this.#offered.get(resource) ?? {};
    const device = devices?.get(id);
    // Whoever offers the resource no longer tells of the device: it has been pulled out, say.
    return device?.healthy ? "Healthy" : device || source ? "Unhealthy" : "Unknown";
  }

  #replace(resource: string, now: Offered): void {
    const before = this.#offered.get(resource)!;
    const concerned = this.#holders(resource, (id) => before.devices.get(id)?.healthy !== now.devices.get(id)?.healthy);
    const counts = (devices: ReadonlyMap<string, Device>): string => `${devices.size} ${[...devices.values()].filter(({ healthy }) => healthy).length}`;
    const changed = counts(before.devices) !== counts(now.devices);
    this.#offered.set(resource, now);
    if (changed) this.options.onCapacity();
    if (concerned.length > 0) this.options.onHealth(concerned);
  }

  #holders(resource: string, isConcerned: (id: string) => boolean): string[] {
    return Object.entries(this.#allocations).filter(([, containers]) => Object.values(containers).some((resources) => resources[resource]?.ids.some(isConcerned))).map(([uid]) => uid);
  }

  async #allocate(pod: Pod, isActive: (uid: string) => boolean): Promise<void> {
    const uid = pod.metadata.uid!;
    for (const other of Object.keys(this.#allocations)) if (other !== uid && !isActive(other)) this.#forget(other);
    const reusable = new Map<string, Set<string>>();
    for (const { container, handsOn } of takersOf(pod)) {
      for (const [resource, count] of wantedDevices(container, this.manages)) {
        const free = reusable.get(resource) ?? new Set();
        reusable.set(resource, free);
        const allocation = this.#allocations[uid]?.[container.name]?.[resource] ?? (await this.#give(uid, container.name, resource, count, free));
        for (const id of allocation.ids) free[handsOn ? "add" : "delete"](id);
      }
    }
  }

  async #give(uid: string, container: string, resource: string, count: number, reusable: ReadonlySet<string>): Promise<Allocation> {
    const offered = this.#offered.get(resource);
    const healthy = offered?.source && new Set([...offered.devices.values()].filter((device) => device.healthy).map(({ id }) => id));
    const { reused, available, needed } = choicesFor({ resource, count, healthy: offered ? healthy ?? new Set() : undefined, inUse: this.#inUse(resource), reusable });
    const source = offered!.source!;
    // Without a choice there is nothing to prefer.
    const preferred = needed > 0 && needed < available.length ? await source.preferred?.([...reused, ...available], reused, count) : undefined;
    const ids = [...reused, ...choose(available, needed, preferred ?? [])];
    const allocation = { ids, grant: await source.allocate(ids) };
    ((this.#allocations[uid] ??= {})[container] ??= {})[resource] = allocation;
    return allocation;
  }

  #inUse(resource: string): Set<string> {
    return new Set(Object.values(this.#allocations).flatMap((containers) => Object.values(containers).flatMap((resources) => resources[resource]?.ids ?? [])));
  }

  #forget(uid: string): boolean {
    if (!this.#allocations[uid]) return false;
    delete this.#allocations[uid];
    return true;
  }

  #save(): void {
    try {
      this.options.checkpoints.write({ resources: [...this.#offered.keys()], pods: this.#allocations });
    } catch (error) {
      this.options.log.error("Which pods have which devices could not be written: after a restart some may be given twice", { error });
    }
  }
}
