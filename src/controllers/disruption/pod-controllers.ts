import type { Frozen, OwnerReference } from "../../apimachinery/meta.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { isNotFound } from "../../apimachinery/status.ts";
import { deployments, replicasets } from "../../apis/builtins.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import type { ReconcileContext, ServedKinds } from "../../client/controller.ts";
import { controllerRef } from "../controller-ref.ts";
import { cardOfKind, getScale, parseGroupVersion } from "../scales.ts";

export interface PodControllers {
  /** The pods that the controllers of the given ones want, all together. */
  scale: number;
  /** There are pods that nobody controls. */
  unmanaged: boolean;
}

/**
 * What the controllers of pods want: Deployments stand for their ReplicaSets, and any kind with a scale counts. Throws an Error when a pod's
 * controller can't be asked; its text goes into the budget's condition. Source: getExpectedScale of k8s.io/kubernetes/pkg/controller/disruption.
 */
export async function controllersOf(pods: readonly Frozen<Pod>[], kinds: ServedKinds, context: ReconcileContext): Promise<PodControllers> {
  const scales = new Map<string, number>(), seen = new Set<string>();
  let unmanaged = false;
  for (const pod of pods) {
    const ref = controllerRef(pod);
    if (!ref) unmanaged = true;
    if (!ref || seen.has(ref.uid)) continue;
    seen.add(ref.uid);
    const found = deploymentOf(ref, pod.metadata.namespace!, context) ?? await scaleOf(ref, pod.metadata.namespace!, kinds, context);
    if (!found) throw new Error(`found no controllers for pod ${JSON.stringify(pod.metadata.name)}`);
    scales.set(found.uid, found.replicas);
  }
  return { scale: [...scales.values()].reduce((sum, replicas) => sum + replicas, 0), unmanaged };
}

interface Found {
  uid: string;
  replicas: number;
}

const isWorkload = (ref: Frozen<OwnerReference>, card: AnyResource): boolean => ref.kind === card.kind && ["apps", "extensions"].includes(ref.apiVersion.split("/")[0]!);

function deploymentOf(ref: Frozen<OwnerReference>, namespace: string, { lister }: ReconcileContext): Found | undefined {
  if (!isWorkload(ref, replicasets)) return undefined;
  const set = lister(replicasets).get(`${namespace}/${ref.name}`);
  const owner = set?.metadata.uid === ref.uid ? controllerRef(set) : undefined;
  const deployment = owner && isWorkload(owner, deployments) ? lister(deployments).get(`${namespace}/${owner.name}`) : undefined;
  return deployment?.metadata.uid === owner?.uid && deployment ? { uid: deployment.metadata.uid!, replicas: deployment.spec.replicas ?? 1 } : undefined;
}

async function scaleOf(ref: Frozen<OwnerReference>, namespace: string, kinds: ServedKinds, { client }: ReconcileContext): Promise<Found | undefined> {
  const groupVersion = parseGroupVersion(ref.apiVersion), card = cardOfKind(kinds, groupVersion, ref.kind);
  if (!card) throw new Error(`no matches for kind ${JSON.stringify(ref.kind)} in version ${JSON.stringify(ref.apiVersion)}`);
  if (!card.subresources.scale) throw new Error(`${card.group ? `${card.resource}.${card.group}` : card.resource} does not implement the scale subresource`);
  try {
    const { metadata, spec } = await getScale(client, card, { namespace, name: ref.name });
    return metadata.uid === ref.uid ? { uid: ref.uid, replicas: spec?.replicas ?? 0 } : undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
