import { keyOf, thaw, type Frozen, type KubeObject } from "../../apimachinery/meta.ts";
import { fromLabelSelector, matchesLabels } from "../../apimachinery/selectors/labels.ts";
import { isConflict } from "../../apimachinery/status.ts";
import { deployments, namespaces, poddisruptionbudgets, pods, replicasets, replicationcontrollers, statefulsets } from "../../apis/builtins.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from "../../apis/generated/policy/v1.ts";
import { defineController, watchOf, type Controller, type Listers, type ReconcileContext, type ReconcileResult, type ServedKinds } from "../../client/controller.ts";
import { controllerRef } from "../controller-ref.ts";
import { labelSelectorText } from "../label-selector-text.ts";
import { isPodReady } from "../pod-status.ts";
import { scaleRule } from "../scales.ts";
import { countsControllers, expectedOf, failedStatus, planDisrupted, planStatus, type Expected } from "./plan.ts";
import { controllersOf } from "./pod-controllers.ts";

/** Keeps the status of PodDisruptionBudgets, by which the eviction of pods is granted. Source: k8s.io/kubernetes/pkg/controller/disruption. */
export const disruption = ({ kinds }: { kinds: ServedKinds }): Controller => defineController<PodDisruptionBudget>({
  name: "disruption-controller", eventSource: "controllermanager", for: poddisruptionbudgets,
  watches: [
    watchOf(pods, (current, old, { lister }) => (counts(current, old) ? budgetsOf([current, old], lister).map(keyOf) : [])),
    ...[deployments, replicasets, statefulsets, replicationcontrollers].map((card) => watchOf<Scaled>(card as never, (current, old, { lister }) =>
      (current && old && current.spec.replicas !== old.spec.replicas ? lister(poddisruptionbudgets).list(current.metadata.namespace).map(keyOf) : []))),
  ],
  reads: [namespaces],
  writes: [{ apiGroups: ["policy"], resources: ["poddisruptionbudgets/status"], verbs: ["update"] }, scaleRule("get")],
  async reconcile(key, context) {
    const budget = context.lister(poddisruptionbudgets).get(key);
    if (!budget) return undefined;
    try {
      return await sync(budget, kinds, context);
    } catch (error) {
      if (isConflict(error)) throw error;
      await writeStatus(budget, failedStatus(budget, (error as Error).message, context.now()), context);
      return undefined;
    }
  },
});

type Scaled = KubeObject & { spec: { replicas?: number } };

/** Whether a change of a pod can change what its budgets say. */
function counts(current: Frozen<Pod> | undefined, old: Frozen<Pod> | undefined): boolean {
  if (!current || !old || current.metadata.uid !== old.metadata.uid) return true;
  return isPodReady(current) !== isPodReady(old) || current.metadata.deletionTimestamp !== old.metadata.deletionTimestamp
    || controllerRef(current)?.uid !== controllerRef(old)?.uid || !Bun.deepEquals(current.metadata.labels, old.metadata.labels);
}

const picks = ({ spec: { selector } }: Frozen<PodDisruptionBudget>): ((pod: Frozen<Pod>) => boolean) => {
  const parsed = fromLabelSelector(selector);
  return ({ metadata: { labels } }) => matchesLabels(parsed, labels);
};

/** The budgets of a pod as it is, and as it was. */
function budgetsOf(states: readonly (Frozen<Pod> | undefined)[], lister: Listers): Frozen<PodDisruptionBudget>[] {
  const known = states.filter((pod) => pod !== undefined);
  return lister(poddisruptionbudgets).list(known[0]!.metadata.namespace).filter((budget) => known.some(picks(budget)));
}

async function sync(budget: Frozen<PodDisruptionBudget>, kinds: ServedKinds, context: ReconcileContext): Promise<ReconcileResult> {
  const { lister, recorder, now } = context;
  const selected = lister(pods).list(budget.metadata.namespace).filter(picks(budget));
  // The pods of a namespace that is going away go first, and no Event is taken there.
  if (selected.length === 0 && !lister(namespaces).get(budget.metadata.namespace!)?.metadata.deletionTimestamp) recorder.event(budget, "Normal", "NoPods", "No matching pods found");
  warnOfSeveral(budget, selected, context);
  const expected = await expect(budget, selected, kinds, context);
  const { pending, overdue, nextOverdueAt } = planDisrupted(budget, selected, now());
  const { namespace, name } = budget.metadata;
  for (const pod of overdue) recorder.event(pod, "Warning", "NotDeleted", `Pod was expected by PDB ${namespace}/${name} to be deleted but it wasn't`);
  await writeStatus(budget, planStatus(budget, selected, expected, pending, now()), context);
  return nextOverdueAt === undefined ? undefined : { requeueAt: nextOverdueAt };
}

async function expect(budget: Frozen<PodDisruptionBudget>, selected: readonly Frozen<Pod>[], kinds: ServedKinds, context: ReconcileContext): Promise<Expected> {
  if (!countsControllers(budget)) return expectedOf(budget, selected.length);
  try {
    const { scale, unmanaged } = await controllersOf(selected, kinds, context);
    if (unmanaged) {
      context.recorder.event(budget, "Warning", "UnmanagedPods", `Pods selected by this PodDisruptionBudget (selector: ${labelSelectorText(budget.spec.selector)}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`);
    }
    return expectedOf(budget, scale);
  } catch (error) {
    context.recorder.event(budget, "Warning", "CalculateExpectedPodCountFailed", `Failed to calculate the number of expected pods: ${(error as Error).message}`);
    throw error;
  }
}

/** Evictions of such pods are refused, so their owner should know. */
function warnOfSeveral(budget: Frozen<PodDisruptionBudget>, selected: readonly Frozen<Pod>[], { lister, recorder }: ReconcileContext): void {
  const { namespace, name } = budget.metadata;
  const others = lister(poddisruptionbudgets).list(namespace).filter((other) => other.metadata.name !== name).map((other) => ({ name: other.metadata.name!, picks: picks(other) }));
  if (others.length === 0) return;
  for (const pod of selected) {
    const also = others.filter((other) => other.picks(pod)).map((other) => other.name);
    if (also.length === 0) continue;
    const [first] = [name!, ...also].toSorted();
    recorder.event(pod, "Warning", "MultiplePodDisruptionBudgets", `Pod ${JSON.stringify(namespace)}/${JSON.stringify(pod.metadata.name)} matches multiple PodDisruptionBudgets.  Chose ${JSON.stringify(first)} arbitrarily.`);
  }
}

async function writeStatus(budget: Frozen<PodDisruptionBudget>, status: PodDisruptionBudgetStatus, { client }: ReconcileContext): Promise<void> {
  if (Bun.deepEquals(budget.status, status)) return;
  await client.update(poddisruptionbudgets, { ...thaw<PodDisruptionBudget>(budget), status }, { subresource: "status" });
}
