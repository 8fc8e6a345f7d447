import { splitKey, thaw, type Frozen, type KubeObject } from "../../apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../../apimachinery/resource.ts";
import { isNotFound, StatusError } from "../../apimachinery/status.ts";
import { pods, replicasets } from "../../apis/builtins.ts";
import type { ReplicaSet } from "../../apis/generated/apps/v1.ts";
import type { Pod, PodTemplateSpec } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Controller, type ReconcileContext } from "../../client/controller.ts";
import { applyClaim, controllerRef, newControllerRef, planClaim, possibleOwners } from "../controller-ref.ts";
import { isPodActive } from "../pod-status.ts";
import { selects } from "../selects.ts";
import { slowStart } from "../slow-start.ts";
import { conditionsAfter, planReplicaSet, sameStatus, type ReplicaSetPlan } from "./plan.ts";

export const replicaset = replicaController<ReplicaSet>({ name: "replicaset-controller", card: replicasets, view: (rs) => rs });

/** A kind that keeps a number of pods running, and how it looks as a ReplicaSet. */
export interface ReplicaKind<T extends KubeObject> {
  name: string;
  card: ResourceCard<T>;
  view(object: Frozen<T>): Frozen<ReplicaSet>;
}

/** The controller of ReplicaSets, and of kinds that mean the same. Source: kubernetes pkg/controller/replicaset, which serves both as well. */
export function replicaController<T extends KubeObject>({ name, card, view }: ReplicaKind<T>): Controller {
  return defineController<T>({
    name, for: card, owns: [pods], writes: [pods, card], workers: 5,
    watches: [
      // A pod that nobody controls may be adopted, and one whose labels changed released.
      watchOf(pods, (pod, _old, { lister }) => possibleOwners(pod, (namespace) => lister(card).list(namespace).map(view), (rs) => selects(rs.spec.selector))),
    ],
    async reconcile(key, context) {
      const object = context.lister(card).get(key);
      if (!object) return;
      const rs = view(object);
      const { namespace } = splitKey(key);
      const claim = planClaim<Frozen<Pod>>(rs, context.lister(pods).list(namespace), selects(rs.spec.selector));
      const owned = await applyClaim({ client: context.client, card, object }, pods, claim);
      const plan = planReplicaSet(rs, owned, relatedPods(card, object, context), context.now());
      const failure = await applyPods(card, rs, plan, context);
      await writeStatus(card, object, rs, plan, failure, context);
      if (failure) throw failure.error;
      return { requeueAfter: plan.requeueAfter };
    },
  });
}

/** The active pods of all objects of the kind with the same owner, which are more during a rollout. */
function relatedPods<T extends KubeObject>(card: ResourceCard<T>, object: Frozen<T>, { lister }: ReconcileContext): Frozen<Pod>[] {
  const owner = controllerRef(object as Frozen<KubeObject>);
  const siblings = owner ? lister(card).controlledBy(owner.uid) : [object];
  return siblings.flatMap((sibling) => lister(pods).controlledBy((sibling as Frozen<KubeObject>).metadata.uid!)).filter(isPodActive);
}

interface Failure {
  reason: "FailedCreate" | "FailedDelete";
  message: string;
  error: unknown;
}

async function applyPods(card: AnyResource, rs: Frozen<ReplicaSet>, plan: ReplicaSetPlan, context: ReconcileContext): Promise<Failure | undefined> {
  const created = await slowStart(plan.create, () => createPod(card, rs, context));
  if (created.error !== undefined) return isNamespaceTerminating(created.error) ? undefined : failure("FailedCreate", created.error);
  const deleted = await Promise.allSettled(plan.delete.map((pod) => deletePod(rs, pod, context)));
  const refused = deleted.find((result) => result.status === "rejected");
  return refused && failure("FailedDelete", refused.reason);
}

const failure = (reason: Failure["reason"], error: unknown): Failure => ({ reason, message: error instanceof Error ? error.message : String(error), error });

/** The namespace controller removes the rest: no use in trying again. */
const isNamespaceTerminating = (error: unknown): boolean => error instanceof StatusError && (error.status.details?.causes ?? []).some((cause) => cause.reason === "NamespaceTerminating");

async function createPod(card: AnyResource, rs: Frozen<ReplicaSet>, { client, recorder }: ReconcileContext): Promise<void> {
  const { metadata, spec } = thaw<PodTemplateSpec>(rs.spec.template!);
  const pod: Pod = {
    apiVersion: "v1", kind: "Pod",
    metadata: {
      generateName: `${rs.metadata.name}-`, namespace: rs.metadata.namespace,
      ...(metadata?.labels ? { labels: metadata.labels } : {}),
      ...(metadata?.annotations ? { annotations: metadata.annotations } : {}),
      ...(metadata?.finalizers ? { finalizers: metadata.finalizers } : {}),
      ownerReferences: [newControllerRef(card, rs)],
    },
    spec: spec!,
  };
  try {
    const created = await client.create(pods, pod);
    recorder.event(rs, "Normal", "SuccessfulCreate", `Created pod: ${created.metadata.name}`);
  } catch (error) {
    if (!isNamespaceTerminating(error)) recorder.event(rs, "Warning", "FailedCreate", `Error creating: ${(error as Error).message}`);
    throw error;
  }
}

async function deletePod(rs: Frozen<ReplicaSet>, pod: Frozen<Pod>, { client, recorder }: ReconcileContext): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  try {
    await client.delete(pods, { namespace, name: name! }, { preconditions: { uid } });
    recorder.event(rs, "Normal", "SuccessfulDelete", `Deleted pod: ${name}`);
  } catch (error) {
    if (isNotFound(error)) return;
    recorder.event(rs, "Warning", "FailedDelete", `Error deleting: ${(error as Error).message}`);
    throw error;
  }
}

async function writeStatus<T extends KubeObject>(card: ResourceCard<T>, object: Frozen<T>, rs: Frozen<ReplicaSet>, plan: ReplicaSetPlan, failed: Failure | undefined, { client, now }: ReconcileContext): Promise<void> {
  const conditions = conditionsAfter(rs, failed, now());
  const status = { ...plan.status, ...(conditions ? { conditions } : {}) };
  if (sameStatus(rs.status, status)) return;
  await client.update(card, { ...thaw<T>(object), status }, { subresource: "status" });
}
