import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import { statefulsets } from "../../apis/builtins.ts";
import type { StatefulSet } from "../../apis/generated/apps/v1.ts";
import type { PersistentVolumeClaim, Pod, PodTemplateSpec, Volume } from "../../apis/generated/core/v1.ts";
import { newControllerRef } from "../controller-ref.ts";

/** Who a pod of a StatefulSet is: its name, labels and claims. Source: stateful_set_utils.go of Kubernetes' StatefulSet controller. */

export const revisionLabel = "controller-revision-hash";
const podNameLabel = "statefulset.kubernetes.io/pod-name";
const podIndexLabel = "apps.kubernetes.io/pod-index";

type FrozenSet = Frozen<StatefulSet>;

const numbered = /^(.*)-([0-9]+)$/;

/** -1 for a name without a number, or with one beyond 32 bits. */
export function ordinalOf(pod: Frozen<Pod>): number {
  const ordinal = Number(numbered.exec(pod.metadata.name ?? "")?.[2] ?? -1);
  return ordinal < 2 ** 31 ? ordinal : -1;
}

export const isMember = (set: FrozenSet, pod: Frozen<Pod>): boolean => numbered.exec(pod.metadata.name ?? "")?.[1] === set.metadata.name;

export const wanted = (set: FrozenSet): number => set.spec?.replicas ?? 1;
export const startOf = (set: FrozenSet): number => set.spec?.ordinals?.start ?? 0;

/** Whether the pod is one that the set's size asks for. */
export function isInRange(set: FrozenSet, pod: Frozen<Pod>): boolean {
  const ordinal = ordinalOf(pod);
  return ordinal >= startOf(set) && ordinal < startOf(set) + wanted(set);
}

export const revisionOf = (pod: Frozen<Pod>): string => pod.metadata.labels?.[revisionLabel] ?? "";

type ClaimTemplate = Frozen<PersistentVolumeClaim>;

export const claimTemplates = (set: FrozenSet): readonly ClaimTemplate[] => set.spec?.volumeClaimTemplates ?? [];
export const claimName = (template: ClaimTemplate, set: FrozenSet, ordinal: number): string => `${template.metadata.name}-${set.metadata.name}-${ordinal}`;

/** The claim of one pod, as it is made. */
export function newClaim(template: ClaimTemplate, set: FrozenSet, ordinal: number): PersistentVolumeClaim {
  const claim = thaw<PersistentVolumeClaim>(template);
  const labels = { ...claim.metadata.labels, ...set.spec?.selector?.matchLabels };
  claim.metadata = { ...claim.metadata, name: claimName(template, set, ordinal), namespace: set.metadata.namespace, ...(Object.keys(labels).length > 0 ? { labels } : {}) };
  return claim;
}

/** Whether a claim of this name belongs to a pod of the set. */
export const ownsClaimNamed = (set: FrozenSet, name: string): boolean =>
  claimTemplates(set).some((template) => {
    const prefix = `${template.metadata.name}-${set.metadata.name}-`;
    return name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length));
  });

/** A new pod of the given template and revision. */
export function newPod(set: FrozenSet, template: Frozen<PodTemplateSpec>, revision: string, ordinal: number): Pod {
  const { metadata, spec } = thaw<PodTemplateSpec>(template);
  const name = `${set.metadata.name}-${ordinal}`;
  const pod: Pod = {
    apiVersion: "v1", kind: "Pod",
    metadata: {
      name, generateName: `${set.metadata.name}-`, namespace: set.metadata.namespace,
      labels: { ...metadata?.labels, ...identityLabels(name, ordinal), [revisionLabel]: revision },
      ...(metadata?.annotations ? { annotations: metadata.annotations } : {}),
      ...(metadata?.finalizers ? { finalizers: metadata.finalizers } : {}),
      ownerReferences: [newControllerRef(statefulsets, set)],
    },
    spec: { ...spec!, hostname: name, ...(set.spec?.serviceName ? { subdomain: set.spec.serviceName } : {}) },
  };
  withStorage(set, pod);
  return pod;
}

const identityLabels = (name: string, ordinal: number): Record<string, string> => ({ [podNameLabel]: name, [podIndexLabel]: String(ordinal) });

function withStorage(set: FrozenSet, pod: Pod): void {
  const templates = claimTemplates(set);
  if (templates.length === 0) return;
  const taken = new Set(templates.map(({ metadata }) => metadata.name!));
  const volumes: Volume[] = templates.map((template) => ({ name: template.metadata.name!, persistentVolumeClaim: { claimName: claimName(template, set, ordinalOf(pod)) } }));
  pod.spec.volumes = [...volumes, ...(pod.spec.volumes ?? []).filter(({ name }) => !taken.has(name))];
}

const storageMatches = (set: FrozenSet, pod: Frozen<Pod>): boolean =>
  claimTemplates(set).every((template) => pod.spec.volumes?.find(({ name }) => name === template.metadata.name)?.persistentVolumeClaim?.claimName === claimName(template, set, ordinalOf(pod)));

/** The pod with the labels and volumes it should have, when it lacks some. */
export function corrected(set: FrozenSet, pod: Frozen<Pod>): Pod | undefined {
  const { name } = pod.metadata;
  const named = pod.metadata.labels?.[podNameLabel] === name, stored = storageMatches(set, pod);
  if (named && stored) return undefined;
  const copy = thaw<Pod>(pod);
  if (!named) copy.metadata.labels = { ...copy.metadata.labels, ...identityLabels(name!, ordinalOf(pod)) };
  if (!stored) withStorage(set, copy);
  return copy;
}
