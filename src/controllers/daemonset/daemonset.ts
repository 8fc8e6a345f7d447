import { keyOf, thaw, type Frozen } from "../../apimachinery/meta.ts";
import { isNamespaceTerminating, isNotFound } from "../../apimachinery/status.ts";
import { controllerrevisions, daemonsets, nodes, pods } from "../../apis/builtins.ts";
import type { ControllerRevision, DaemonSet } from "../../apis/generated/apps/v1.ts";
import type { Node, Pod } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Controller, type Listers, type ReconcileContext, type ReconcileResult } from "../../client/controller.ts";
import { applyClaim, controllerRef, planClaim, possibleOwners, type Owner } from "../controller-ref.ts";
import { createRevision, renumber } from "../controller-revision.ts";
import { followOrphans, type Orphans } from "../orphans.ts";
import { createPod, deletePod } from "../pod-control.ts";
import { selects } from "../selects.ts";
import { slowStart } from "../slow-start.ts";
import { daemonPod, hashLabel } from "./daemon-pod.ts";
import { eligibility, sameToDaemons } from "./eligibility.ts";
import { FailedPodBackoff } from "./failed-pod-backoff.ts";
import { expiredRevisions, hashOf, planHistory, type HistoryPlan } from "./history.ts";
import { planDaemonSet, type DaemonSetPlan, type DaemonSetView } from "./plan.ts";
import { sameStatus, statusOf } from "./status.ts";

/** At most so many pods are made, and as many deleted, in one go. */
const burst = 250;

type Revision = Frozen<ControllerRevision>;

/** What the controller remembers between reconciles. */
interface Memory {
  orphans: Orphans<Pod>;
  orphanedRevisions: Orphans<ControllerRevision>;
  backoff: FailedPodBackoff;
}

/** Source: kubernetes pkg/controller/daemon. */
export function daemonset(): Controller {
  const adopters = (object: Frozen<Pod> | Revision, lister: Listers): string[] => possibleOwners(object, (namespace) => lister(daemonsets).list(namespace), (ds) => selects(ds.spec?.selector));
  const memory: Memory = { orphans: followOrphans(pods, adopters), orphanedRevisions: followOrphans(controllerrevisions, adopters), backoff: new FailedPodBackoff() };
  return defineController({
    name: "daemonset-controller", for: daemonsets, owns: [pods], workers: 2, writes: [pods, daemonsets, controllerrevisions],
    watches: [
      memory.orphans.watch, memory.orphanedRevisions.watch,
      // A revision that is added says nothing new: the controller made it itself.
      watchOf(controllerrevisions, (_current, old) => {
        const owner = old && controllerRef(old);
        return owner?.kind === "DaemonSet" ? [`${old!.metadata.namespace}/${owner.name}`] : [];
      }),
      watchOf(nodes, (current, old, { lister }) =>
        (current && old && sameToDaemons(current, old) ? [] : lister(daemonsets).list().filter((ds) => isConcerned(ds, current, old)).map(keyOf))),
    ],
    async reconcile(key, context) {
      const ds = context.lister(daemonsets).get(key);
      // While it is deleted its revisions may be gone or orphaned already: nothing more can be said of it.
      if (!ds || ds.metadata.deletionTimestamp) return;
      const { matchLabels = {}, matchExpressions = [] } = ds.spec?.selector ?? {};
      if (Object.keys(matchLabels).length + matchExpressions.length > 0) return sync(ds, memory, context);
      context.recorder.event(ds, "Warning", "SelectingAll", "This daemon set is selecting all pods. A non-empty selector is required.");
    },
  });
}

/** Whether a node that came, changed or went matters to the DaemonSet. */
function isConcerned(ds: Frozen<DaemonSet>, current: Frozen<Node> | undefined, old: Frozen<Node> | undefined): boolean {
  const eligible = eligibility(ds);
  const before = old && eligible(old), after = current && eligible(current);
  return !before || !after ? (before ?? after)!.stay : before.run !== after.run || before.stay !== after.stay;
}

async function sync(ds: Frozen<DaemonSet>, { orphans, orphanedRevisions, backoff }: Memory, context: ReconcileContext): Promise<ReconcileResult> {
  const { client, lister, now } = context;
  const owner = { client, card: daemonsets, object: ds };
  const picked = selects(ds.spec!.selector);
  const claimed = async (): Promise<Frozen<Pod>[]> => applyClaim<Frozen<Pod>>(owner, pods, planClaim(ds, orphans.claimable(ds, lister), picked));
  const history = planHistory(ds, await applyClaim<Revision>(owner, controllerrevisions, planClaim(ds, orphanedRevisions.claimable(ds, lister), picked)));
  const owned = await claimed();
  const present = await currentRevision(owner, ds, history, owned);
  const view: DaemonSetView = {
    ds, nodes: lister(nodes).list(), pods: history.duplicates.length > 0 ? await claimed() : owned, eligible: remembered(eligibility(ds)), hash: present.hash, now: now(),
    heldBack: (node) => backoff.remaining(backoffKey(ds, node), context.monotonic()),
  };
  const plan = planDaemonSet(view);
  const error = await carryOut(view, plan, backoff, context);
  const after = { ...view, pods: lister(pods).controlledBy(ds.metadata.uid!), now: now() };
  const counted = statusOf(after, present.collisionCount);
  if (!sameStatus(ds.status, counted.status)) await writeStatus(ds, counted.status, context);
  if (error !== undefined) throw error;
  for (const name of expiredRevisions(ds, history.old, after.pods)) {
    await client.delete(controllerrevisions, { namespace: ds.metadata.namespace, name }).catch(unlessNotFound);
  }
  const wait = Math.min(plan.requeueAfter ?? Infinity, counted.requeueAfter ?? Infinity);
  return wait < Infinity ? { requeueAfter: wait } : undefined;
}

/** One answer per node, for as long as a reconcile takes. */
function remembered<K, V>(work: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>();
  return (key) => {
    let value = known.get(key);
    if (value === undefined) known.set(key, (value = work(key)));
    return value;
  };
}

const backoffKey = (ds: Frozen<DaemonSet>, node: string): string => `${ds.metadata.uid}/${ds.status?.observedGeneration ?? 0}/${node}`;

function unlessNotFound(error: unknown): void {
  if (!isNotFound(error)) throw error;
}

/** Makes or renumbers the revision of the present template, so that it is the only one of it; its hash is what pods carry. */
async function currentRevision(owner: Owner, ds: Frozen<DaemonSet>, { current, data, number, duplicates }: HistoryPlan, owned: readonly Frozen<Pod>[]): Promise<{ hash: string; collisionCount: number }> {
  const { client } = owner, { namespace } = ds.metadata;
  const collisionCount = ds.status?.collisionCount ?? 0;
  if (!current) {
    const made = await createRevision(owner, { data, revision: number, labels: thaw(ds.spec!.template!.metadata?.labels ?? {}), hashLabel }, collisionCount);
    return { hash: hashOf(made.created), collisionCount: made.collisionCount };
  }
  const hash = hashOf(current);
  if (duplicates.length > 0) {
    const hashes = duplicates.map(hashOf);
    for (const { metadata: { name, uid, labels } } of owned) {
      if (!hashes.includes(labels?.[hashLabel] ?? "")) continue;
      await client.patch(pods, { namespace, name: name! }, { type: "application/merge-patch+json", body: { metadata: { uid, labels: { [hashLabel]: hash } } } });
    }
    for (const { metadata } of duplicates) await client.delete(controllerrevisions, { namespace, name: metadata.name! }).catch(unlessNotFound);
  }
  if (current.revision !== number) await renumber(client, current, number);
  return { hash, collisionCount };
}

/** Returns the first error, after all has been tried. */
async function carryOut({ ds, hash }: DaemonSetView, plan: DaemonSetPlan, backoff: FailedPodBackoff, context: ReconcileContext): Promise<unknown> {
  for (const { pod: { metadata }, node, reason } of plan.ended) {
    if (reason === "FailedDaemonPod") backoff.next(backoffKey(ds, node), context.monotonic());
    const found = reason === "FailedDaemonPod" ? ["failed", "kill"] : ["succeeded", "delete"];
    context.recorder.event(ds, reason === "FailedDaemonPod" ? "Warning" : "Normal", reason, `Found ${found[0]} daemon pod ${metadata.namespace}/${metadata.name} on node ${node}, will try to ${found[1]} it`);
  }
  const created = await slowStart(Math.min(plan.create.length, burst), async (index) => {
    await createPod(ds, daemonPod(ds, hash, plan.create[index]!), context).catch((error: unknown) => {
      if (!isNamespaceTerminating(error)) throw error;
    });
  });
  const deleted = await Promise.allSettled(plan.delete.slice(0, burst).map((pod) => deletePod(ds, pod, context)));
  return created.error ?? deleted.find((result) => result.status === "rejected")?.reason;
}

async function writeStatus(ds: Frozen<DaemonSet>, status: NonNullable<DaemonSet["status"]>, { client }: ReconcileContext): Promise<void> {
  const { namespace, name, uid } = ds.metadata;
  await client.patch(daemonsets, { namespace, name: name! }, { type: "application/merge-patch+json", body: { metadata: { uid }, status } }, { subresource: "status" });
}
