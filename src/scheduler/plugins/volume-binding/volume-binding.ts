import { thaw, type Frozen } from "../../../apimachinery/meta.ts";
import { csidrivers, csistoragecapacities, persistentvolumeclaims, persistentvolumes, pods, storageclasses } from "../../../apis/builtins.ts";
import { bindingAnnotations, bindVolumeToClaim } from "../../../apis/core/volume/binding.ts";
import type { PersistentVolume, PersistentVolumeClaim } from "../../../apis/generated/core/v1.ts";
import { volumeBindingArgs, type VolumeBindingArgs } from "../../configuration/plugin-args.ts";
import { definePlugin, skip, type AnyPlugin, type Handle, type Status } from "../../framework.ts";
import { Assumed } from "./assumed.ts";
import { bindVolumes, type Reservation } from "./bind-volumes.ts";
import { Changes } from "./changes.ts";
import { volumeBindingEvents } from "./events.ts";
import { isStatus, placeVolumes, podVolumes, type Placement, type PodVolumes, type VolumeWorld } from "./pod-volumes.ts";

/** One attempt's: what the claims ask of a node, and what was taken for the node that was chosen. */
interface VolumeState {
  readonly volumes: PodVolumes;
  reserved?: Reservation;
}

/**
 * Chooses nodes that a pod's volumes can be used on, and binds claims that wait for a consumer before the pod is bound: to a volume that is
 * there, or by asking a provisioner for one on that node. Without storage capacity scoring, which is off by default, it doesn't score.
 */
export function volumeBinding({ bindTimeoutSeconds }: VolumeBindingArgs = volumeBindingArgs(), handle: Handle): AnyPlugin {
  const { claims, volumes: allVolumes, world, written } = sourcesOf(handle);
  const changes = { claims: new Changes(persistentvolumeclaims, handle), volumes: new Changes(persistentvolumes, handle), pods: new Changes(pods, handle) };
  function forget(state: VolumeState | undefined): void {
    for (const { volume } of state?.reserved?.bindings ?? []) allVolumes.restore(volume as Frozen<PersistentVolume>);
    for (const claim of state?.reserved?.provisions ?? []) claims.restore(claim as Frozen<PersistentVolumeClaim>);
  }
  return definePlugin<VolumeState>({
    name: "VolumeBinding",
    events: volumeBindingEvents,
    preFilter({ pod }) {
      const volumes = pod.spec.volumes?.length ? podVolumes(pod, world) : undefined;
      if (!volumes) return { skip: true };
      return isStatus(volumes) ? { rejected: volumes } : { state: { volumes } };
    },
    filter(_, node, { volumes }) {
      const placement = placeVolumes(volumes, node);
      return "code" in placement ? placement : undefined;
    },
    reserve(_, nodeName, state) {
      if (!state || state.volumes.unbound.length === 0) return undefined;
      const placement = placeVolumes(state.volumes, handle.snapshot.node(nodeName)!);
      if ("code" in placement) return placement;
      state.reserved = reservationOf(placement, nodeName);
      for (const { volume, changed } of state.reserved.bindings) if (changed) allVolumes.assume(volume);
      for (const claim of state.reserved.provisions) claims.assume(claim);
      return undefined;
    },
    unreserve: (_, __, state) => forget(state),
    preBindPreFlight: (_, __, state) => (state?.reserved ? undefined : skip),
    async preBind(pod, nodeName, state, signal): Promise<Status | undefined> {
      if (!state?.reserved) return undefined;
      await bindVolumes(pod, nodeName, state.reserved, { handle, changes, timeout: bindTimeoutSeconds * 1000, ...written }, signal);
      forget(state);
      return undefined;
    },
  });
}

function reservationOf({ bind, provision }: Placement, nodeName: string): Reservation {
  return {
    bindings: bind.map(({ claim, volume }) => {
      const bound = bindVolumeToClaim(volume, claim);
      return { claim, volume: bound ?? (volume as PersistentVolume), changed: bound !== undefined };
    }),
    provisions: provision.map((claim) => {
      const placed = thaw<PersistentVolumeClaim>(claim);
      (placed.metadata.annotations ??= {})[bindingAnnotations.selectedNode] = nodeName;
      return placed;
    }),
  };
}

interface Sources {
  claims: Assumed<PersistentVolumeClaim>;
  volumes: Assumed<PersistentVolume>;
  world: VolumeWorld;
  /** As the API has them, without what is only assumed. */
  written: Pick<Parameters<typeof bindVolumes>[3], "claim" | "volume" | "pod">;
}

function sourcesOf({ lister }: Handle): Sources {
  const claimLister = lister(persistentvolumeclaims), volumeLister = lister(persistentvolumes), podLister = lister(pods);
  const classes = lister(storageclasses), drivers = lister(csidrivers), capacities = lister(csistoragecapacities);
  const claims = new Assumed(claimLister), volumes = new Assumed(volumeLister);
  return {
    claims, volumes,
    world: {
      claim: (key) => claims.get(key), volume: (name) => volumes.get(name), volumes: () => volumes.list(),
      storageClass: (name) => classes.get(name), csiDriver: (name) => drivers.get(name), capacities: () => capacities.list(),
    },
    written: { claim: (key) => claimLister.get(key), volume: (name) => volumeLister.get(name), pod: (key) => podLister.get(key) },
  };
}
