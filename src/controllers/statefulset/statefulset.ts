import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import { isNamespaceTerminating, isNotFound } from "../../apimachinery/status.ts";
import { controllerrevisions, persistentvolumeclaims, pods, statefulsets } from "../../apis/builtins.ts";
import type { ControllerRevision, StatefulSet } from "../../apis/generated/apps/v1.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Controller, type Listers, type ReconcileContext } from "../../client/controller.ts";
import { applyClaim, planClaim, possibleOwners } from "../controller-ref.ts";
import { byRevision, createRevision, renumber, templateOf } from "../controller-revision.ts";
import { followOrphans } from "../orphans.ts";
import { untilNextAvailable } from "../pod-status.ts";
import { selects } from "../selects.ts";
import { slowStart } from "../slow-start.ts";
import { isMember, ownsClaimNamed } from "./identity.ts";
import { planStatefulSet, type Revisions } from "./plan.ts";
import { expiredRevisions, planRevision } from "./revisions.ts";
import { sameStatus } from "./status.ts";
import { takeStep } from "./steps.ts";

/** A parallel set makes or deletes at most so many pods at once. */
const burst = 500;

type Revision = Frozen<ControllerRevision>;
type FrozenSet = Frozen<StatefulSet>;

/** Source: kubernetes pkg/controller/statefulset. */
export function statefulset(): Controller {
  const adopters = (object: Frozen<Pod> | Revision, lister: Listers): string[] => possibleOwners(object, (namespace) => lister(statefulsets).list(namespace), (set) => selects(set.spec?.selector));
  const orphans = followOrphans<Pod>(pods, adopters);
  const orphanedRevisions = followOrphans<ControllerRevision>(controllerrevisions, adopters);
  return defineController({
    name: "statefulset-controller", for: statefulsets, owns: [pods], workers: 5,
    writes: [pods, statefulsets, controllerrevisions, persistentvolumeclaims],
    watches: [
      orphans.watch, orphanedRevisions.watch,
      // A pod may wait for the last one's claim to go.
      watchOf(persistentvolumeclaims, (current, old, { lister }) => {
        if (current) return [];
        const { namespace, name } = old!.metadata;
        return lister(statefulsets).list(namespace).filter((set) => ownsClaimNamed(set, name!)).map((set) => `${namespace}/${set.metadata.name}`);
      }),
    ],
    async reconcile(key, context) {
      const { client, lister, now } = context;
      const set = lister(statefulsets).get(key);
      if (!set) return;
      const owner = { client, card: statefulsets, object: set };
      const picked = selects(set.spec?.selector);
      const owned = await applyClaim<Frozen<Pod>>(owner, pods, planClaim(set, orphans.claimable(set, lister), (pod) => picked(pod) && isMember(set, pod as Frozen<Pod>)));
      const history = await applyClaim<Revision>(owner, controllerrevisions, planClaim(set, orphanedRevisions.claimable(set, lister), picked));
      await sync(set, owned, history.toSorted(byRevision), context);
      const wait = untilNextAvailable(owned, set.spec?.minReadySeconds ?? 0, now());
      return wait === undefined ? undefined : { requeueAfter: wait };
    },
  });
}

async function sync(set: FrozenSet, owned: readonly Frozen<Pod>[], history: readonly Revision[], context: ReconcileContext): Promise<void> {
  const { client, lister, now } = context;
  const { revisions, collisionCount } = await revisionsOf(set, history, context);
  const { namespace } = set.metadata;
  const plan = planStatefulSet({ set, pods: owned, revisions, claim: (name) => lister(persistentvolumeclaims).get(`${namespace}/${name}`), now: now() });
  let failure: { error: unknown } | undefined;
  for (const phase of plan.phases) {
    const { succeeded, error } = await slowStart(phase.length, (index) => takeStep(set, phase[index]!, context), plan.parallel ? burst : 1);
    if (succeeded < phase.length) {
      failure = { error };
      break;
    }
  }
  const status = { ...plan.status, collisionCount };
  if (!sameStatus(set.status, status)) {
    await client.patch(statefulsets, { namespace, name: set.metadata.name! }, { type: "application/merge-patch+json", body: { metadata: { uid: set.metadata.uid }, status } }, { subresource: "status" });
  }
  if (failure) {
    if (isNamespaceTerminating(failure.error)) return;
    throw failure.error;
  }
  for (const name of expiredRevisions(set, owned, history, [revisions.current.name, revisions.update.name])) {
    await client.delete(controllerrevisions, { namespace, name }).catch(unlessNotFound);
  }
}

function unlessNotFound(error: unknown): void {
  if (!isNotFound(error)) throw error;
}

async function revisionsOf(set: FrozenSet, history: readonly Revision[], context: ReconcileContext): Promise<{ revisions: Revisions; collisionCount: number }> {
  const collisionCount = set.status?.collisionCount ?? 0;
  const { currentRevision, updateRevision } = set.status ?? {};
  const template = set.spec!.template!;
  // Its revisions may have been deleted before it: none is to be made again.
  if (set.metadata.deletionTimestamp) return { collisionCount, revisions: { current: { name: currentRevision ?? "", template }, update: { name: updateRevision ?? "", template } } };
  const newest = await newestRevision(set, history, collisionCount, context);
  const current = history.find(({ metadata }) => metadata.name === currentRevision) ?? newest.revision;
  const view = (revision: Revision): Revisions["current"] => ({ name: revision.metadata.name!, template: templateOf(revision) });
  return { collisionCount: newest.collisionCount, revisions: { current: view(current), update: view(newest.revision) } };
}

async function newestRevision(set: FrozenSet, history: readonly Revision[], collisionCount: number, { client }: ReconcileContext): Promise<{ revision: Revision; collisionCount: number }> {
  const plan = planRevision(set, history);
  if (plan.is === "newest") return { revision: plan.revision, collisionCount };
  if (plan.is === "old") return { revision: await renumber(client, plan.revision, plan.next), collisionCount };
  const labels = thaw(set.spec!.template!.metadata?.labels ?? {});
  const made = await createRevision({ client, card: statefulsets, object: set }, { data: plan.data, revision: plan.next, labels, hashLabel: "controller.kubernetes.io/hash" }, collisionCount);
  return { revision: made.created, collisionCount: made.collisionCount };
}
