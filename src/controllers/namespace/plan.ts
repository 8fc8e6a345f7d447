import { formatTime } from "../../apimachinery/time.ts";
import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import type { Namespace, NamespaceCondition, Pod } from "../../apis/generated/core/v1.ts";
import { isPodTerminal } from "../pod-status.ts";

/** The finalizer in `spec.finalizers` that is this controller's to remove. */
export const kubernetesFinalizer = "kubernetes";

/** What is left of one resource in a namespace. */
export interface Content {
  group: string;
  resource: string;
  objects: readonly Frozen<KubeObject>[];
}

export const isPods = ({ group, resource }: { group: string; resource: string }): boolean => group === "" && resource === "pods";

/** Deletions that wait for dependents: of what goes anyway, nobody has to wait for anybody. */
const waitsForDependents = ({ metadata: { finalizers = [] } }: Frozen<KubeObject>): boolean => finalizers.includes("orphan") || finalizers.includes("foregroundDeletion");
const isAsked = (object: Frozen<KubeObject>): boolean => !!object.metadata.deletionTimestamp && !waitsForDependents(object);

/** Whether pods are left: they go by themselves first, so that what protects them (policies, their volumes) outlives them. Source: KEP-5080. */
export const podsAreLeft = (contents: readonly Content[]): boolean => contents.some((content) => isPods(content) && content.objects.length > 0);

/** The resources to ask to be deleted now. */
export function nextToDelete<C extends Content>(contents: readonly C[]): C[] {
  const pods = podsAreLeft(contents);
  return contents.filter((content) => isPods(content) === pods && content.objects.some((object) => !isAsked(object)));
}

/** When pods that are still there should have ended, in milliseconds; undefined where finalizers keep them. */
export function podsOverdueAt(namespace: Frozen<Namespace>, contents: readonly Content[]): number | undefined {
  const pods = (contents.find(isPods)?.objects ?? []) as readonly Frozen<Pod>[];
  if (pods.length === 0 || pods.some(({ metadata }) => metadata.finalizers?.length)) return undefined;
  const grace = Math.max(0, ...pods.filter((pod) => !isPodTerminal(pod)).map(({ spec }) => spec?.terminationGracePeriodSeconds ?? 0));
  return Date.parse(namespace.metadata.deletionTimestamp!) + grace * 1000;
}

/** What stands in the way of a namespace's end. */
export interface Obstacles {
  left: readonly Content[];
  /** Group-versions that their servers don't answer for. */
  undiscovered?: readonly string[];
  /** What deletions failed with. */
  failures?: readonly string[];
}

/** The conditions that say what a terminating namespace waits for. Source: k8s.io/kubernetes/pkg/controller/namespace/deletion/status_condition_utils.go. */
export function namespaceConditions(namespace: Frozen<Namespace>, { left, undiscovered = [], failures = [] }: Obstacles, now: number): NamespaceCondition[] {
  const remaining = left.filter(({ objects }) => objects.length > 0);
  const finalizers = new Map<string, number>();
  for (const { objects } of remaining) for (const { metadata } of objects) for (const name of metadata.finalizers ?? []) finalizers.set(name, (finalizers.get(name) ?? 0) + 1);
  const resources = remaining.map(({ resource, group, objects }) => `${resource}.${group} has ${objects.length} resource instances`).toSorted().join(", ");
  const holding = [...finalizers].map(([name, count]) => `${name} in ${count} resource instances`).toSorted().join(", ");
  const stale = undiscovered.map((groupVersion) => `${groupVersion}: stale GroupVersion discovery: ${groupVersion}`).toSorted().join(", ");
  const wanted: [type: string, holds: boolean, whenTrue: [string, string], whenFalse: [string, string]][] = [
    ["NamespaceDeletionDiscoveryFailure", stale !== "", ["DiscoveryFailed", `Discovery failed for some groups, ${undiscovered.length} failing: unable to retrieve the complete list of server APIs: ${stale}`], ["ResourcesDiscovered", "All resources successfully discovered"]],
    ["NamespaceDeletionGroupVersionParsingFailure", false, ["", ""], ["ParsedGroupVersions", "All legacy kube types successfully parsed"]],
    ["NamespaceDeletionContentFailure", failures.length > 0, ["ContentDeletionFailed", `Failed to delete all resource types, ${failures.length} remaining: ${failures.toSorted().join(", ")}`], ["ContentDeleted", "All content successfully deleted, may be waiting on finalization"]],
    ["NamespaceContentRemaining", remaining.length > 0, ["SomeResourcesRemain", `Some resources are remaining: ${resources}`], ["ContentRemoved", "All content successfully removed"]],
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
