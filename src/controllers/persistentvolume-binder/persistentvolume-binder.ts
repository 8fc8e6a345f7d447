import { keyOf, thaw, type Frozen } from "../../apimachinery/meta.ts";
import { persistentvolumeclaims, persistentvolumes, pods, storageclasses } from "../../apis/builtins.ts";
import { bindingAnnotations, bindVolumeToClaim, claimHasClass, classOfClaim, classOfVolume, hasAnnotation, newestDefaultClass } from "../../apis/core/volume/binding.ts";
import { claimNames } from "../../apis/core/volume/pod-claims.ts";
import type { PersistentVolume, PersistentVolumeClaim, Pod } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Controller, type Listers, type ReconcileContext } from "../../client/controller.ts";
import { isPodActive, podCondition } from "../pod-status.ts";
import { claimStatusIn, planClaim, type ClaimWorld, type Told } from "./claim-plan.ts";
import { planVolume, unboundVolume } from "./volume-plan.ts";

type Claim = Frozen<PersistentVolumeClaim>;
type Volume = Frozen<PersistentVolume>;

/**
 * Binds claims and volumes, and keeps the phases of both. Keys are `namespace/name` of claims and names of volumes, worked on one at a time:
 * no two claims then choose the same volume. A bond is four writes, volume first; each is repeated for as long as it is missing, so that the
 * process may end between any two. Source: k8s.io/kubernetes/pkg/controller/volume/persistentvolume.
 */
export function persistentVolumeBinder(): Controller {
  /** Claims that have yet to be bound, by key: those that a free volume or a class may concern. */
  const unbound = new Map<string, Claim>();
  return defineController<PersistentVolumeClaim>({
    name: "persistent-volume-binder", eventSource: "persistentvolume-controller", for: persistentvolumeclaims, writes: [persistentvolumes, persistentvolumeclaims],
    watches: [
      watchOf(persistentvolumeclaims, (claim, old, { lister }) => {
        if (claim && !hasAnnotation(claim, bindingAnnotations.bindCompleted)) unbound.set(keyOf(claim), claim);
        else unbound.delete(keyOf((claim ?? old)!));
        return volumesConcerned(claim, old, lister);
      }),
      watchOf(persistentvolumes, (volume, old) => [(volume ?? old!).metadata.name!, ...claimsConcerned(volume, old, unbound)]),
      watchOf(storageclasses, (storageClass) => {
        if (!storageClass) return [];
        return [...unbound].filter(([, claim]) => !claimHasClass(claim) || classOfClaim(claim) === storageClass.metadata.name).map(([key]) => key);
      }),
      // A pod that waits for its node is what a claim that waits for its consumer says it waits for.
      watchOf(pods, (pod, old) => (pod && hasNoFittingNode(pod) && !(old && hasNoFittingNode(old)) ? claimNames(pod).map((name) => `${pod.metadata.namespace}/${name}`) : [])),
    ],
    async reconcile(key, context) {
      if (key.includes("/")) await syncClaim(key, context);
      else await syncVolume(key, context);
    },
  });
}

const hasNoFittingNode = (pod: Frozen<Pod>): boolean => !pod.spec.nodeName && podCondition(pod, "PodScheduled")?.reason === "Unschedulable";

/** Volumes whose bond may end, or be completed, by the change of a claim. */
function volumesConcerned(claim: Claim | undefined, old: Claim | undefined, lister: Listers): string[] {
  const was = old?.spec?.volumeName, is = claim?.spec?.volumeName;
  if (claim && old && was === is) return [];
  // A volume that refers to the claim without the claim's knowing: a bond half made, or a second one.
  const others = old ? lister(persistentvolumes).list().filter(({ spec }) => spec?.claimRef?.uid === old.metadata.uid).map(({ metadata }) => metadata.name!) : [];
  return [...new Set([...others, ...[was, is].filter((name) => name !== undefined && name !== "") as string[]])];
}

/** Claims that a volume is bound to, or may be from now on. */
function claimsConcerned(volume: Volume | undefined, old: Volume | undefined, unbound: ReadonlyMap<string, Claim>): string[] {
  const refs = [volume?.spec?.claimRef, old?.spec?.claimRef].filter((ref) => ref !== undefined).map(({ namespace, name }) => `${namespace}/${name}`);
  const free = volume !== undefined && !volume.spec?.claimRef && volume.status?.phase === "Available";
  if (!volume || !(free || !old)) return [...new Set(refs)];
  const { name } = volume.metadata, storageClass = classOfVolume(volume);
  const wanting = [...unbound].filter(([, claim]) => (claim.spec?.volumeName ? claim.spec.volumeName === name : free && classOfClaim(claim) === storageClass));
  return [...new Set([...refs, ...wanting.map(([key]) => key)])];
}

async function syncClaim(key: string, context: ReconcileContext): Promise<void> {
  const { lister, client } = context;
  const claim = lister(persistentvolumeclaims).get(key);
  if (!claim) return;
  const tell = (told: Told | undefined): void => told && context.recorder.event(claim, told.type, told.reason, told.message);
  const plan = planClaim(claim, worldOf(claim, lister));
  switch (plan.action) {
    case "bind": return bind(plan.volume, claim, context);
    case "lose":
      if (claim.status?.phase === "Lost") return;
      await writeClaimStatus(claim, "Lost", undefined, context);
      return tell(plan.told);
    case "wait":
      tell(plan.told);
      await writeClaimStatus(claim, "Pending", undefined, context);
      return;
    case "assignClass": {
      const changed = thaw<PersistentVolumeClaim>(claim);
      changed.spec!.storageClassName = plan.storageClass;
      await client.update(persistentvolumeclaims, changed);
      return;
    }
    case "provision":
      // What is written wakes us again.
      return claim.metadata.annotations?.[bindingAnnotations.provisioner] === plan.provisioner ? tell(plan.told) : askProvisioner(claim, plan.provisioner, context);
    case "tell": return tell(plan.told);
  }
}

function worldOf(claim: Claim, lister: Listers): ClaimWorld {
  const { namespace, name } = claim.metadata;
  return {
    volume: (volume) => lister(persistentvolumes).get(volume),
    volumes: () => lister(persistentvolumes).list(),
    storageClass: (storageClass) => lister(storageclasses).get(storageClass),
    defaultClass: () => newestDefaultClass(lister(storageclasses).list())?.metadata.name,
    unscheduledPods: () => lister(pods).list(namespace).filter((pod) => !pod.spec.nodeName && isPodActive(pod) && claimNames(pod).includes(name!)).map(({ metadata }) => metadata.name!),
  };
}

/** Writes what is missing of a bond: the volume's half, its phase, the claim's half, its status. */
async function bind(volume: Volume, claim: Claim, context: ReconcileContext): Promise<void> {
  const { client } = context;
  const linked = bindVolumeToClaim(volume, claim);
  await writeVolumePhase(linked ? await client.update(persistentvolumes, linked) : volume, "Bound", context);
  await writeClaimStatus(await linkClaim(claim, volume.metadata.name!, context), "Bound", volume, context);
}

async function linkClaim(claim: Claim, volumeName: string, { client }: ReconcileContext): Promise<Claim> {
  const named = claim.spec?.volumeName === volumeName;
  if (named && hasAnnotation(claim, bindingAnnotations.bindCompleted)) return claim;
  const linked = thaw<PersistentVolumeClaim>(claim);
  const annotations = (linked.metadata.annotations ??= {});
  if (!named) {
    linked.spec!.volumeName = volumeName;
    annotations[bindingAnnotations.boundByController] ??= "yes";
  }
  annotations[bindingAnnotations.bindCompleted] ??= "yes";
  return client.update(persistentvolumeclaims, linked);
}

async function writeClaimStatus(claim: Claim, phase: "Pending" | "Bound" | "Lost", volume: Volume | undefined, { client }: ReconcileContext): Promise<void> {
  const status = claimStatusIn(phase, claim, volume);
  if (status) await client.update(persistentvolumeclaims, { ...thaw<PersistentVolumeClaim>(claim), status }, { subresource: "status" });
}

async function writeVolumePhase(volume: Volume, phase: NonNullable<PersistentVolume["status"]>["phase"], { client }: ReconcileContext, message?: string): Promise<Volume> {
  if (volume.status?.phase === phase) return volume;
  const changed = thaw<PersistentVolume>(volume);
  const { message: _, ...status } = changed.status ?? {};
  return client.update(persistentvolumes, { ...changed, status: { ...status, phase, ...(message ? { message } : {}) } }, { subresource: "status" });
}

async function askProvisioner(claim: Claim, provisioner: string, { client }: ReconcileContext): Promise<void> {
  const asked = thaw<PersistentVolumeClaim>(claim);
  Object.assign(asked.metadata.annotations ??= {}, { [bindingAnnotations.betaProvisioner]: provisioner, [bindingAnnotations.provisioner]: provisioner });
  await client.update(persistentvolumeclaims, asked);
}

async function syncVolume(name: string, context: ReconcileContext): Promise<void> {
  const { lister, recorder, client } = context;
  const volume = lister(persistentvolumes).get(name);
  if (!volume) return;
  const ref = volume.spec?.claimRef;
  const claim = ref ? lister(persistentvolumeclaims).get(`${ref.namespace}/${ref.name}`) : undefined;
  const plan = planVolume(volume, claim);
  const tell = (about: Volume | Claim, { type, reason, message }: Told): void => recorder.event(about, type, reason, message);
  switch (plan.action) {
    case "none": return;
    case "phase":
      await writeVolumePhase(volume, plan.phase, context, plan.told?.message);
      if (plan.told) tell(volume, plan.told);
      return;
    case "unbind":
      await writeVolumePhase(await client.update(persistentvolumes, unboundVolume(volume)), "Available", context);
      return;
    case "mismatch":
      tell(volume, plan.toldVolume);
      tell(claim!, plan.toldClaim);
  }
}
