import { thaw, type Frozen, type KubeObject } from "../../apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../../apimachinery/resource.ts";
import { isNamespaceTerminating } from "../../apimachinery/status.ts";
import { pods, replicasets } from "../../apis/builtins.ts";
import type { ReplicaSet } from "../../apis/generated/apps/v1.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { defineController, type Controller, type ReconcileContext } from "../../client/controller.ts";
import { applyClaim, controllerRef, planClaim, possibleOwners } from "../controller-ref.ts";
import { followOrphans } from "../orphans.ts";
import { createPod, deletePod, podFromTemplate } from "../pod-control.ts";
import { isPodActive } from "../pod-status.ts";
import { selects } from "../selects.ts";
import { slowStart } from "../slow-start.ts";
import { conditionsAfter, planReplicaSet, sameStatus, type ReplicaSetPlan } from "./plan.ts";

export const replicaset = (): Controller => replicaController<ReplicaSet>({ name: "replicaset-controller", card: replicasets, view: (rs) => rs });

/** A kind that keeps a number of pods running, and how it looks as a ReplicaSet. */
export interface ReplicaKind<T extends KubeObject> {
  name: string;
  card: ResourceCard<T>;
  view(object: Frozen<T>): Frozen<ReplicaSet>;
}

/** The controller of ReplicaSets, and of kinds that mean the same. Source: kubernetes pkg/controller/replicaset, which serves both as well. */
export function replicaController<T extends KubeObject>({ name, card, view }: ReplicaKind<T>): Controller {
  const orphans = followOrphans<Pod>(pods, (pod, lister) => possibleOwners(pod, (namespace) => lister(card).list(namespace).map(view), (rs) => selects(rs.spec.selector)));
  return defineController<T>({
    name, for: card, owns: [pods], writes: [pods, card], workers: 5, watches: [orphans.watch],
    async reconcile(key, context) {
      const object = context.lister(card).get(key);
      if (!object) return;
      const rs = view(object);
      const claim = planClaim<Frozen<Pod>>(rs, orphans.claimable(object as Frozen<KubeObject>, context.lister), selects(rs.spec.selector));
      const owned = await applyClaim({ client: context.client, card, object }, pods, claim);
      const plan = planReplicaSet(rs, owned, () => relatedPods(card, object, context), context.now());
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
  const created = await slowStart(plan.create, () => createPod(rs, podFromTemplate(card, rs, rs.spec.template!), context));
  if (created.error !== undefined) return isNamespaceTerminating(created.error) ? undefined : failure("FailedCreate", created.error);
  const deleted = await Promise.allSettled(plan.delete.map((pod) => deletePod(rs, pod, context)));
  const refused = deleted.find((result) => result.status === "rejected");
  return refused && failure("FailedDelete", refused.reason);
}

const failure = (reason: Failure["reason"], error: unknown): Failure => ({ reason, message: error instanceof Error ? error.message : String(error), error });

async function writeStatus<T extends KubeObject>(card: ResourceCard<T>, object: Frozen<T>, rs: Frozen<ReplicaSet>, plan: ReplicaSetPlan, failed: Failure | undefined, { client, now }: ReconcileContext): Promise<void> {
  const conditions = conditionsAfter(rs, failed, now());
  const status = { ...plan.status, ...(conditions ? { conditions } : {}) };
  if (sameStatus(rs.status, status)) return;
  await client.update(card, { ...thaw<T>(object), status }, { subresource: "status" });
}
