import type { Frozen } from "../../../apimachinery/meta.ts";
import type { PersistentVolumeClaim, Pod, Volume } from "../../generated/core/v1.ts";

/** How pods name claims. Source: k8s.io/component-helpers/storage/ephemeral. */

/** The claim behind a volume of a pod, undefined for volumes without one. A generic ephemeral volume's is made for the pod and named after it. */
export const claimNameOf = (pod: Frozen<Pod>, { name, persistentVolumeClaim, ephemeral }: Frozen<Volume>): string | undefined =>
  persistentVolumeClaim?.claimName ?? (ephemeral ? ephemeralClaimName(pod, name) : undefined);

export const ephemeralClaimName = (pod: Frozen<Pod>, volumeName: string): string => `${pod.metadata.name}-${volumeName}`;

/** Names of the claims in its namespace that the pod uses. */
export const claimNames = (pod: Frozen<Pod>): string[] =>
  (pod.spec?.volumes ?? []).map((volume) => claimNameOf(pod, volume)).filter((name) => name !== undefined);

/** Why a claim with an ephemeral volume's name is not the pod's; undefined when it is. */
export function notMadeForPod(pod: Frozen<Pod>, claim: Frozen<PersistentVolumeClaim>): string | undefined {
  const { namespace, name, uid } = pod.metadata;
  if (claim.metadata.namespace === namespace && claim.metadata.ownerReferences?.some((ref) => ref.controller && ref.uid === uid)) return undefined;
  return `PVC ${claim.metadata.namespace}/${claim.metadata.name} was not created for pod ${namespace}/${name} (pod is not owner)`;
}
