import { formatTime } from "../../apimachinery/time.ts";
import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import type { Namespace, NamespaceCondition } from "../../apis/generated/core/v1.ts";

/** The finalizer in `spec.finalizers` that is this controller's to remove. */
export const kubernetesFinalizer = "kubernetes";

/** What is left of one resource in a namespace. */
export interface Content {
  /** As `pods` or `deployments.apps`. */
  resource: string;
  objects: readonly Frozen<KubeObject>[];
}

/** The resources to delete now: pods by themselves first, so that what protects them (policies, their volumes) outlives them. Source: KEP-5080. */
export function nextToDelete(contents: readonly Content[]): Content[] {
  const left = contents.filter(({ objects }) => objects.length > 0);
  const pods = left.filter(({ resource }) => resource === "pods");
  return pods.length > 0 ? pods : left;
}

/** The conditions that say what a terminating namespace waits for. `failure` is the error of a deletion. */
export function namespaceConditions(namespace: Frozen<Namespace>, contents: readonly Content[], failure: string | undefined, now: number): NamespaceCondition[] {
  const left = contents.filter(({ objects }) => objects.length > 0);
  const finalizers = new Map<string, number>();
  for (const { objects } of left) for (const { metadata } of objects) for (const name of metadata.finalizers ?? []) finalizers.set(name, (finalizers.get(name) ?? 0) + 1);
  const resources = left.map(({ resource, objects }) => `${resource} has ${objects.length} resource instances`).toSorted().join(", ");
  const holding = [...finalizers].map(([name, count]) => `${name} in ${count} resource instances`).toSorted().join(", ");
  const wanted: [type: string, holds: boolean, whenTrue: [string, string], whenFalse: [string, string]][] = [
    ["NamespaceDeletionDiscoveryFailure", false, ["", ""], ["ResourcesDiscovered", "All resources successfully discovered"]],
    ["NamespaceDeletionGroupVersionParsingFailure", false, ["", ""], ["ParsedGroupVersions", "All legacy kube types successfully parsed"]],
    ["NamespaceDeletionContentFailure", failure !== undefined, ["ContentDeletionFailed", failure ?? ""], ["ContentDeleted", "All content successfully deleted, may be waiting on finalization"]],
    ["NamespaceContentRemaining", left.length > 0, ["SomeResourcesRemain", `Some resources are remaining: ${resources}`], ["ContentRemoved", "All content successfully removed"]],
    ["NamespaceFinalizersRemaining", finalizers.size > 0, ["SomeFinalizersRemain", `Some content in the namespace has finalizers remaining: ${holding}`], ["ContentHasNoFinalizers", "All content-preserving finalizers finished"]],
  ];
  const types = new Set(wanted.map(([type]) => type));
  const others = (namespace.status?.conditions ?? []).filter((c) => !types.has(c.type)) as NamespaceCondition[];
  return [...others, ...wanted.map(([type, holds, whenTrue, whenFalse]) => {
    const [reason, message] = holds ? whenTrue : whenFalse;
    const status = holds ? "True" : "False";
    const old = namespace.status?.conditions?.find((c) => c.type === type);
    return { type, status, lastTransitionTime: old?.status === status ? old.lastTransitionTime : formatTime(now), reason, message };
  })];
}
