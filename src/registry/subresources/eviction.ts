import { invalidValue } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { thaw } from "../../apimachinery/meta.ts";
import { badRequest, conflict, invalid, isConflict, StatusError } from "../../apimachinery/status.ts";
import { formatTime } from "../../apimachinery/time.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import type { DeleteOptions, Status } from "../../apis/generated/meta/v1.ts";
import type { Eviction, PodDisruptionBudget } from "../../apis/generated/policy/v1.ts";
import { deleteObject } from "../delete.ts";
import type { SubresourceCall } from "./creator.ts";
import { budgetsOf, disrupt, tooManyRequests } from "./disruption-budget.ts";
import { updateView } from "./update-view.ts";

/** POST pods/eviction: a deletion that the pod's disruption budget must allow. Source: kubernetes pkg/registry/core/pod/storage/eviction.go. */
export async function createEviction(call: SubresourceCall): Promise<Status> {
  const { machinery, card, key, body, options } = call;
  const { metadata, deleteOptions = {} } = body as Eviction;
  if (metadata?.name !== key.name) throw badRequest("name in URL does not match name in Eviction object");
  if (deleteOptions.ignoreStoreReadErrorWithClusterBreakingPotential) {
    throw invalid({ group: "policy", kind: "Eviction" }, key.name, [invalidValue("deleteOptions.ignoreStoreReadErrorWithClusterBreakingPotential", true, "can not be set for pod eviction, try after removing the option")]);
  }
  const asked = withDryRun(deleteOptions, options.dryRun ?? false);
  for (;;) {
    const { object: pod, revision } = await machinery.store.mustGet<Pod>(card, key);
    const needsBudget = !["Succeeded", "Failed", "Pending"].includes(pod.status?.phase ?? "") && !pod.metadata.deletionTimestamp;
    // A pod that has not started may do so meanwhile, and then its budget counts: it must still be the one that was looked at.
    const pinned = needsBudget ? await askBudget(call, pod, asked) : pod.status?.phase === "Pending" && !pod.metadata.deletionTimestamp;
    try {
      await evict(call, pinned && !asked.preconditions?.resourceVersion ? { ...asked, preconditions: { ...asked.preconditions, resourceVersion: pod.metadata.resourceVersion } } : asked);
      return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
    } catch (error) {
      // Again only when the pod has changed since: a conflict with the client's own preconditions stands.
      if (!isConflict(error) || !pinned || asked.preconditions?.resourceVersion || machinery.store.revisionOf(card, key) === revision) throw error;
      if (typeof pinned === "string") throw tooManyRequests(`The disruption budget ${pinned} is still being processed by the server.`, 10);
    }
  }
}

/** The request may ask for a dry run in its URL or in its body; both must ask for the same. */
function withDryRun(deleteOptions: DeleteOptions, dryRun: boolean): DeleteOptions {
  if (!dryRun) return deleteOptions;
  const asked = deleteOptions.dryRun ?? [];
  if (asked.length > 0 && (asked.length > 1 || asked[0] !== "All")) throw failed(`Non-matching dry-run options in request and content: [All] and [${asked.join(" ")}]`);
  return { ...deleteOptions, dryRun: ["All"] };
}

/**
 * Takes the disruption off the pod's budget; throws 429 when there is none left. A pod that is not ready may go without being counted,
 * if its budget says so: then the budget's name is returned, for the pod must still be unready when it goes.
 */
async function askBudget({ machinery, key }: SubresourceCall, pod: Frozen<Pod>, { dryRun }: DeleteOptions): Promise<string | undefined> {
  for (;;) {
    const budgets = budgetsOf(machinery.store.cacher, pod);
    if (budgets.length > 1) throw severalBudgets();
    const budget = budgets[0]?.object;
    if (!budget) return undefined;
    if (!isReady(pod) && mayGoUnready(budget)) return budget.metadata.name;
    try {
      await disrupt(machinery, budgets[0]!, key.name, Boolean(dryRun?.length));
      return undefined;
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }
}

const failed = (message: string): StatusError => new StatusError({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, code: 500 });
const severalBudgets = (): StatusError => failed("This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");

const isReady = ({ status }: Frozen<Pod>): boolean => status?.conditions?.some(({ type, status: state }) => type === "Ready" && state === "True") ?? false;

const mayGoUnready = ({ spec, status }: Frozen<PodDisruptionBudget>): boolean =>
  spec?.unhealthyPodEvictionPolicy === "AlwaysAllow" || ((status?.currentHealthy ?? 0) >= (status?.desiredHealthy ?? 0) && (status?.desiredHealthy ?? 0) > 0);

/** Marks the pod as evicted, then deletes it. */
async function evict({ machinery, context, card, key }: SubresourceCall, options: DeleteOptions): Promise<void> {
  let resourceVersion = options.preconditions?.resourceVersion;
  if (!options.dryRun?.length) {
    const marked = await updateView<Pod>(machinery, card, key, {}, (current) => {
      checkPreconditions(current, options);
      return withCondition(thaw<Pod>(current), formatTime(machinery.clock.now()));
    });
    if (resourceVersion) resourceVersion = marked.metadata.resourceVersion;
  }
  await deleteObject(machinery, context, card, key, resourceVersion ? { ...options, preconditions: { ...options.preconditions, resourceVersion } } : options);
}

function checkPreconditions({ metadata }: Frozen<Pod>, { preconditions }: DeleteOptions): void {
  const { uid, resourceVersion } = preconditions ?? {};
  const refuse = (detail: string): StatusError => conflict({ group: "", resource: "Pod" }, metadata.name!, detail);
  if (uid && uid !== metadata.uid) throw refuse(`the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`);
  if (resourceVersion && resourceVersion !== metadata.resourceVersion) {
    throw refuse(`the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`);
  }
}

/** Source: UpdatePodCondition of k8s.io/kubernetes/pkg/api/v1/pod. */
function withCondition(pod: Pod, now: string): Pod {
  const status = (pod.status ??= {}), conditions = (status.conditions ??= []);
  const condition = { type: "DisruptionTarget", status: "True" as const, reason: "EvictionByEvictionAPI", message: "Eviction API: evicting", lastTransitionTime: now };
  const index = conditions.findIndex(({ type }) => type === condition.type), old = conditions[index];
  if (!old) conditions.push(condition);
  else conditions[index] = { ...condition, ...(old.status === "True" && old.lastTransitionTime ? { lastTransitionTime: old.lastTransitionTime } : {}) };
  return pod;
}
