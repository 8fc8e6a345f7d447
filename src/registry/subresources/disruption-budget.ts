import type { Frozen } from "../../apimachinery/meta.ts";
import { thaw } from "../../apimachinery/meta.ts";
import { fromLabelSelector, matchesLabels } from "../../apimachinery/selectors/labels.ts";
import { forbidden, StatusError } from "../../apimachinery/status.ts";
import { formatTime } from "../../apimachinery/time.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import type { PodDisruptionBudget } from "../../apis/generated/policy/v1.ts";
import type { Cacher, Entry } from "../../storage/cacher/cacher.ts";
import type { Machinery } from "../machinery.ts";
import { prefixOf, storageKey, translate } from "../store.ts";

const budgets = { group: "policy", resource: "poddisruptionbudgets" };
/** Evictions that the disruption controller has not seen come true yet. */
const mostDisrupted = 2000;

/** The budgets whose selector picks the pod. */
export function budgetsOf(cacher: Cacher, { metadata: { namespace, labels } }: Frozen<Pod>): Entry<PodDisruptionBudget>[] {
  return [...cacher.list<PodDisruptionBudget>(prefixOf(budgets, namespace))].filter(({ object: { spec } }) => spec?.selector && matchesLabels(fromLabelSelector(spec.selector), labels));
}

/** Counts one more disruption, or throws: 429 when the budget has none left, a Conflict when it has changed meanwhile. */
export async function disrupt({ store, clock }: Machinery, { object, revision }: Entry<PodDisruptionBudget>, podName: string, dryRun: boolean): Promise<void> {
  const { status = {} as NonNullable<PodDisruptionBudget["status"]>, metadata } = object;
  const name = metadata.name!;
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0)) throw tooManyRequests(`The disruption budget ${name} is still being processed by the server.`, 10);
  const allowed = status.disruptionsAllowed ?? 0;
  const refuse = (detail: string): StatusError => forbidden({ ...budgets, resource: "poddisruptionbudget" }, name, detail);
  if (allowed < 0) throw refuse("pdb disruptions allowed is negative");
  if (Object.keys(status.disruptedPods ?? {}).length > mostDisrupted) throw refuse("DisruptedPods map too big - too many evictions not confirmed by PDB controller");
  if (allowed === 0) throw tooManyRequests(whyNone(object));
  if (dryRun) return;
  try {
    await store.cacher.update(storageKey(budgets, { namespace: metadata.namespace, name }), revision, disrupted(object, podName, formatTime(clock.now())));
  } catch (error) {
    throw translate(error, budgets, name);
  }
}

function disrupted(budget: Frozen<PodDisruptionBudget>, podName: string, now: string): PodDisruptionBudget {
  const changed = thaw<PodDisruptionBudget>(budget);
  const status = changed.status!;
  status.disruptionsAllowed = (status.disruptionsAllowed ?? 0) - 1;
  status.disruptedPods = { ...status.disruptedPods, [podName]: now };
  if (status.disruptionsAllowed > 0) return changed;
  const old = status.conditions?.find(({ type }) => type === "DisruptionAllowed");
  const condition = {
    type: "DisruptionAllowed", status: "False" as const, reason: "InsufficientPods", message: "",
    observedGeneration: status.observedGeneration, lastTransitionTime: old?.status === "False" ? old.lastTransitionTime : now,
  };
  status.conditions = [...(status.conditions ?? []).filter(({ type }) => type !== condition.type), condition];
  return changed;
}

function whyNone({ metadata: { name }, status }: Frozen<PodDisruptionBudget>): string {
  const condition = status?.conditions?.find(({ type, status: state, message }) => type === "DisruptionAllowed" && state === "False" && message);
  if (condition?.reason === "SyncFailed") return `The disruption budget ${name} does not allow evicting pods currently because it failed sync: ${condition.message}`;
  const healthy = status?.currentHealthy ?? 0, wanted = status?.desiredHealthy ?? 0;
  if (healthy <= wanted) return `The disruption budget ${name} needs ${wanted} healthy pods and has ${healthy} currently`;
  return `The disruption budget ${name} does not allow evicting pods currently${condition ? ` (${condition.reason}): ${condition.message}` : ""}`;
}

/** Clients that evict, such as `kubectl drain`, look for the cause and try again. */
export function tooManyRequests(cause: string, retryAfterSeconds = 0): StatusError {
  return new StatusError({
    kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message: "Cannot evict pod as it would violate the pod's disruption budget.", reason: "TooManyRequests",
    details: { causes: [{ reason: "DisruptionBudget", message: cause }], ...(retryAfterSeconds ? { retryAfterSeconds } : {}) }, code: 429,
  });
}
