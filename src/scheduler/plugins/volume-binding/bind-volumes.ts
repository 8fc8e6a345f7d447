import { keyOf, splitKey, type Frozen, type KubeObject } from "../../../apimachinery/meta.ts";
import { isConflict } from "../../../apimachinery/status.ts";
import { persistentvolumeclaims, persistentvolumes } from "../../../apis/builtins.ts";
import { bindingAnnotations, isFullyBound } from "../../../apis/core/volume/binding.ts";
import { isReached, reachOf } from "../../../apis/core/volume/node-affinity.ts";
import type { PersistentVolume, PersistentVolumeClaim, Pod } from "../../../apis/generated/core/v1.ts";
import type { Handle } from "../../framework.ts";
import type { PodInfo } from "../../pod-info.ts";
import type { Changes } from "./changes.ts";

/** What a pod's place asks to be written, as it is to be. */
export interface Reservation {
  /** Volumes with their half of the bond; `changed` is false where a user set it aside already. */
  readonly bindings: readonly { volume: PersistentVolume; changed: boolean; claim: Frozen<PersistentVolumeClaim> }[];
  /** Claims with the node that was chosen. */
  readonly provisions: readonly PersistentVolumeClaim[];
}

export interface BindContext {
  handle: Handle;
  claim(key: string): Frozen<PersistentVolumeClaim> | undefined;
  volume(name: string): Frozen<PersistentVolume> | undefined;
  pod(key: string): Frozen<Pod> | undefined;
  changes: { claims: Changes; volumes: Changes; pods: Changes };
  /** In milliseconds. */
  timeout: number;
}

/** Writes what was reserved and waits until the binder, and provisioners, have done the rest. Throws when it won't come to that. Source: kube-scheduler's BindPodVolumes. */
export async function bindVolumes(pod: PodInfo, nodeName: string, { bindings, provisions }: Reservation, context: BindContext, signal: AbortSignal): Promise<void> {
  const { client } = context.handle;
  for (const { volume, changed } of bindings) if (changed) await client.update(persistentvolumes, volume, { signal });
  for (const claim of provisions) {
    // Another pod with the claim may be saying so at this moment.
    const isSaid = (): boolean => context.claim(keyOf(claim))?.metadata.annotations?.[bindingAnnotations.selectedNode] === nodeName;
    if (isSaid()) continue;
    await client.update(persistentvolumeclaims, claim, { signal }).catch((error: unknown) => {
      if (!isConflict(error) || !isSaid()) throw error;
    });
  }
  try {
    await untilBound(pod, nodeName, { bindings, provisions }, context, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw new Error(`binding volumes: ${(error as Error).message}`, { cause: error });
  }
}

/** Looks again after each change of an object that has a say. */
async function untilBound(pod: PodInfo, nodeName: string, reservation: Reservation, context: BindContext, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { handle } = context;
  const isBound = (): boolean => areBound(pod, nodeName, reservation, context);
  if (isBound()) return;
  let late = false;
  let changed = Promise.withResolvers<void>();
  const wake = (): void => changed.resolve();
  const over = new AbortController();
  const timer = handle.clock.sleep(context.timeout, over.signal).then(() => (late = true), () => undefined).then(wake);
  signal.addEventListener("abort", wake, { once: true });
  const { claims, volumes, pods } = context.changes;
  const follow = (changes: Changes, object: Frozen<KubeObject>): (() => void) => changes.follow(keyOf(object), wake);
  const unfollow = [
    follow(pods, pod.pod), ...[...reservation.bindings.map(({ claim }) => claim), ...reservation.provisions].map((claim) => follow(claims, claim)),
    ...reservation.bindings.map(({ volume }) => follow(volumes, volume)),
  ];
  try {
    while (!isBound()) {
      if (late) throw new Error("context deadline exceeded");
      await changed.promise;
      signal.throwIfAborted();
      changed = Promise.withResolvers<void>();
    }
  } finally {
    signal.removeEventListener("abort", wake);
    for (const end of unfollow) end();
    over.abort();
    await timer;
  }
}

/** Throws when the bond will never come, and the pod has to be decided on again. Source: kube-scheduler's checkBindings. */
function areBound({ key }: PodInfo, nodeName: string, { bindings, provisions }: Reservation, { handle, claim: claimOf, volume: volumeOf, pod: podOf }: BindContext): boolean {
  const node = handle.snapshot.node(nodeName);
  if (!node) throw new Error(`failed to get node "${nodeName}": node "${nodeName}" not found`);
  const { namespace, name } = splitKey(key);
  if (!podOf(key)) throw new Error(`pod does not exist any more: pod "${name}" not found`);
  const claimNamed = (claimName: string): Frozen<PersistentVolumeClaim> => claimOf(`${namespace}/${claimName}`) ?? missing(`failed to check binding: persistentvolumeclaim "${claimName}" not found`);
  const reached = (volume: Frozen<PersistentVolume>): void => {
    if (!isReached(reachOf(volume), node.labels)) throw new Error(`pv "${volume.metadata.name}" node affinity doesn't match node "${nodeName}": no matching NodeSelectorTerms`);
  };
  let all = true;
  for (const { volume: { metadata }, claim } of bindings) {
    const volume = volumeOf(metadata.name!) ?? missing(`failed to check binding: persistentvolume "${metadata.name}" not found`);
    reached(volume);
    if (!volume.spec?.claimRef?.uid) throw new Error(`ClaimRef got reset for pv "${metadata.name}"`);
    all = isFullyBound(claimNamed(claim.metadata.name!)) && all;
  }
  for (const { metadata } of provisions) {
    const claim = claimNamed(metadata.name!);
    if (claim.metadata.annotations === undefined) throw new Error(`selectedNode annotation reset for PVC "${metadata.name}"`);
    if (claim.metadata.annotations[bindingAnnotations.selectedNode] !== nodeName) throw new Error(`provisioning failed for PVC "${metadata.name}"`);
    const volume = claim.spec?.volumeName ? volumeOf(claim.spec.volumeName) : undefined;
    if (volume) reached(volume);
    all = volume !== undefined && isFullyBound(claim) && all;
  }
  return all;
}


function missing(message: string): never {
  throw new Error(message);
}

