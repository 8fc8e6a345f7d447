import { semanticEqual } from "../../apimachinery/equality.ts";
import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import { isAlreadyExists, isNamespaceTerminating, isNotFound, StatusError } from "../../apimachinery/status.ts";
import { deployments, pods, replicasets } from "../../apis/builtins.ts";
import type { Deployment, DeploymentStatus, ReplicaSet } from "../../apis/generated/apps/v1.ts";
import { defineController, watchOf, type Controller, type ReconcileContext } from "../../client/controller.ts";
import { applyClaim, controllerRef, isControlledBy, newControllerRef, planClaim, possibleOwners } from "../controller-ref.ts";
import { followOrphans } from "../orphans.ts";
import { selects } from "../selects.ts";
import { revisionAnnotation } from "./annotations.ts";
import { planDeployment, type DeploymentPlan } from "./plan.ts";
import { isRolling, replicasOf } from "./replicas.ts";
import { planRollback, type Rollback } from "./rollback.ts";
import { setCondition } from "./status.ts";
import { sameTemplate } from "./template.ts";

export function deployment(): Controller {
  const orphans = followOrphans<ReplicaSet>(replicasets, (rs, lister) => possibleOwners(rs, (namespace) => lister(deployments).list(namespace), (d) => selects(d.spec.selector)));
  return defineController({
    name: "deployment-controller", for: deployments, owns: [replicasets], writes: [deployments, replicasets], workers: 5,
    watches: [
      orphans.watch,
      // A Recreate rollout goes on when the last old pod is gone.
      watchOf(pods, (current, old, { lister }) => {
        const owner = current ? undefined : controllerRef(old!);
        const rs = owner && lister(replicasets).get(`${old!.metadata.namespace}/${owner.name}`);
        const key = rs && `${old!.metadata.namespace}/${controllerRef(rs)?.name}`;
        const d = key && lister(deployments).get(key);
        return d && !isRolling(d) ? [key] : [];
      }),
    ],
    async reconcile(key, context) {
      const { client, lister, now } = context;
      const d = lister(deployments).get(key);
      if (!d) return;
      const claim = planClaim<Frozen<ReplicaSet>>(d, orphans.claimable(d, lister), selects(d.spec.selector));
      const owned = await applyClaim({ client, card: deployments, object: d }, replicasets, claim);
      const rollback = d.metadata.deletionTimestamp ? undefined : planRollback(d, owned);
      if (rollback) return rollBack(d, rollback, context);
      const plan = planDeployment(d, owned, (rs) => lister(pods).controlledBy(rs.metadata.uid!), now());
      await apply(d, plan, context);
      return { requeueAfter: plan.requeueAfter };
    },
  });
}

async function rollBack(d: Frozen<Deployment>, { deployment: restored, event }: Rollback, { client, recorder }: ReconcileContext): Promise<void> {
  await client.update(deployments, restored);
  recorder.event(d, event.type, event.reason, event.message);
}

async function apply(d: Frozen<Deployment>, plan: DeploymentPlan, context: ReconcileContext): Promise<void> {
  const { client, recorder } = context;
  const { namespace, name } = d.metadata;
  if (plan.create) await create(d, plan.create, context);
  for (const { replicaSet, from } of plan.update) {
    await client.update(replicasets, replicaSet);
    const to = replicasOf(replicaSet);
    if (to !== from) recorder.event(d, "Normal", "ScalingReplicaSet", `Scaled ${to > from ? "up" : "down"} replica set ${replicaSet.metadata.name} from ${from} to ${to}`);
  }
  for (const expired of plan.delete) await client.delete(replicasets, { namespace, name: expired }).catch(unlessNotFound);
  if (plan.revision) {
    // Through status, as Kubernetes does: the annotation is no change of what the user asked for, so the generation stays.
    await client.patch(deployments, { namespace, name: name! }, { type: "application/merge-patch+json", body: { metadata: { annotations: { [revisionAnnotation]: plan.revision } } } }, { subresource: "status" });
  }
  await writeStatus(d, plan.status, context);
}

function unlessNotFound(error: unknown): void {
  if (!isNotFound(error)) throw error;
}

/** Writes through a merge patch of the lists and numbers: the revision annotation may just have changed the resourceVersion. */
async function writeStatus(d: Frozen<Deployment>, status: DeploymentStatus, { client }: ReconcileContext): Promise<void> {
  const numbers = (s: Frozen<DeploymentStatus> | undefined): unknown => ({ ...Object.fromEntries(counts.map((field) => [field, s?.[field] ?? 0])), conditions: s?.conditions });
  if (semanticEqual(numbers(d.status), numbers(status))) return;
  await client.patch(deployments, { namespace: d.metadata.namespace, name: d.metadata.name! }, { type: "application/merge-patch+json", body: { metadata: { uid: d.metadata.uid }, status } }, { subresource: "status" });
}

const counts = ["observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas", "terminatingReplicas", "collisionCount"] as const;

async function create(d: Frozen<Deployment>, rs: ReplicaSet, context: ReconcileContext): Promise<void> {
  const { client, recorder, lister, now } = context;
  rs.metadata.ownerReferences = [newControllerRef(deployments, d)];
  try {
    await client.create(replicasets, rs);
  } catch (error) {
    if (isAlreadyExists(error)) {
      const existing = lister(replicasets).get(`${d.metadata.namespace}/${rs.metadata.name}`);
      if (existing && isControlledBy(existing, d) && sameTemplate(existing.spec.template, rs.spec.template)) return;
      // Somebody else's ReplicaSet has the name: the next try hashes to another.
      await writeStatus(d, { ...thaw<DeploymentStatus>(d.status ?? {}), collisionCount: (d.status?.collisionCount ?? 0) + 1 }, context);
    } else if (error instanceof StatusError && !isNamespaceTerminating(error)) {
      const message = `Failed to create new replica set ${JSON.stringify(rs.metadata.name)}: ${error.message}`;
      recorder.event(d, "Warning", "ReplicaSetCreateError", message);
      const conditions = setCondition(thaw<DeploymentStatus>(d.status ?? {}).conditions ?? [], now(), "Progressing", "False", "ReplicaSetCreateError", message);
      await writeStatus(d, { ...thaw<DeploymentStatus>(d.status ?? {}), conditions: [...conditions] }, context);
    }
    throw error;
  }
  if (replicasOf(rs) > 0) recorder.event(d, "Normal", "ScalingReplicaSet", `Scaled up replica set ${rs.metadata.name} from 0 to ${replicasOf(rs)}`);
}
