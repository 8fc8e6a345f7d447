import type { Frozen } from "../../apimachinery/meta.ts";
import { thaw } from "../../apimachinery/meta.ts";
import type { Deployment, DeploymentStatus, ReplicaSet } from "../../apis/generated/apps/v1.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { isPodTerminal } from "../pod-status.ts";
import { annotateNew, revisionOf } from "./annotations.ts";
import { active, isRolling, newReplicas, replicasOf } from "./replicas.ts";
import { isScaling, oldestFirst, resize, scaleDownOld, scaleNew, scaleTo } from "./scaling.ts";
import { condition, countStatus, deadlineOf, isComplete, pausedConditions, rolloutStatus, setCondition, untilDeadline, type Conditions } from "./status.ts";
import { podTemplateHash, sameTemplate, templateHash } from "./template.ts";

export interface DeploymentPlan {
  /** A ReplicaSet to make, without its owner reference. */
  create?: ReplicaSet;
  /** ReplicaSets as they are to be; `from` is the size before. */
  update: { replicaSet: ReplicaSet; from: number }[];
  /** Names of ReplicaSets beyond the history limit. */
  delete: string[];
  /** What the Deployment's revision annotation is to be, when it isn't yet. */
  revision?: string;
  status: DeploymentStatus;
  requeueAfter?: number;
}

/** The ReplicaSets of one Deployment, as working copies. */
interface Sets {
  current?: ReplicaSet;
  old: ReplicaSet[];
  /** Conditions as the steps change them. */
  conditions: Conditions;
  created: boolean;
}

type PodsOf = (rs: Frozen<ReplicaSet>) => readonly Frozen<Pod>[];

/** Decides the next step of a Deployment from the ReplicaSets it owns; only Recreate looks at their pods. */
export function planDeployment(d: Frozen<Deployment>, owned: readonly Frozen<ReplicaSet>[], podsOf: PodsOf, now: number): DeploymentPlan {
  const sets = split(d, owned, pausedConditions(d, now));
  let rollout = false;
  if (d.metadata.deletionTimestamp) return finish(d, owned, sets, [], rollout, now);
  if (d.spec.paused || isScaling(d, all(sets))) {
    if (sets.current) adoptCurrent(d, sets, now);
    scaleTo(d, sets.current, sets.old);
    return finish(d, owned, sets, d.spec.paused ? expired(d, sets.old) : [], rollout, now);
  }
  rollout = true;
  const moved = isRolling(d) ? rollingUpdate(d, sets, now) : recreate(d, sets, podsOf, now);
  const done = !moved && isComplete(d, countStatus(d, sets.current, all(sets), [], now));
  return finish(d, owned, sets, done ? expired(d, sets.old) : [], rollout, now);
}

const all = (sets: Sets): ReplicaSet[] => (sets.current ? [...sets.old, sets.current] : sets.old);

function split(d: Frozen<Deployment>, owned: readonly Frozen<ReplicaSet>[], conditions: Conditions): Sets {
  const copies = owned.map((rs) => thaw<ReplicaSet>(rs)).toSorted(oldestFirst);
  // Of several with the same template (a race of long ago) the oldest counts, so that the choice is stable.
  const current = copies.find((rs) => sameTemplate(rs.spec.template, d.spec.template));
  return { current, old: copies.filter((rs) => rs !== current), conditions, created: false };
}

const nextRevision = (sets: Sets): bigint => sets.old.map(revisionOf).reduce((last, revision) => (revision > last ? revision : last), 0n) + 1n;

/** Numbers an existing ReplicaSet as the newest: after a rollback it is an old one. */
function adoptCurrent(d: Frozen<Deployment>, sets: Sets, now: number): void {
  const rs = sets.current!;
  annotateNew(d, rs, nextRevision(sets), false);
  if (d.spec.minReadySeconds !== rs.spec.minReadySeconds && (d.spec.minReadySeconds || rs.spec.minReadySeconds)) rs.spec.minReadySeconds = d.spec.minReadySeconds ?? 0;
  if (deadlineOf(d) !== undefined && !condition(sets.conditions, "Progressing")) {
    sets.conditions = setCondition(sets.conditions, now, "Progressing", "True", "FoundNewReplicaSet", `Found new replica set ${JSON.stringify(rs.metadata.name)}`);
  }
}

const longestName = 253;

function createCurrent(d: Frozen<Deployment>, sets: Sets, now: number): void {
  const hash = templateHash(d.spec.template, d.status?.collisionCount);
  const template = thaw<Deployment["spec"]["template"]>(d.spec.template);
  const labels = { ...template.metadata?.labels, [podTemplateHash]: hash };
  const selector = thaw<NonNullable<Deployment["spec"]["selector"]>>(d.spec.selector!);
  const rs: ReplicaSet = {
    apiVersion: "apps/v1", kind: "ReplicaSet",
    metadata: { name: `${d.metadata.name!.slice(0, longestName - 1 - hash.length)}-${hash}`, namespace: d.metadata.namespace, labels },
    spec: {
      replicas: newReplicas(d, sets.old, 0),
      ...(d.spec.minReadySeconds ? { minReadySeconds: d.spec.minReadySeconds } : {}),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [podTemplateHash]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
  annotateNew(d, rs, nextRevision(sets), true);
  Object.assign(sets, { current: rs, created: true });
  if (deadlineOf(d) !== undefined) sets.conditions = setCondition(sets.conditions, now, "Progressing", "True", "NewReplicaSetCreated", `Created new replica set ${JSON.stringify(rs.metadata.name)}`);
}

function rollingUpdate(d: Frozen<Deployment>, sets: Sets, now: number): boolean {
  if (sets.current) adoptCurrent(d, sets, now);
  else createCurrent(d, sets, now);
  return sets.created || scaleNew(d, sets.current!, all(sets)) || scaleDownOld(d, sets.current, sets.old);
}

function recreate(d: Frozen<Deployment>, sets: Sets, podsOf: PodsOf, now: number): boolean {
  if (sets.current) adoptCurrent(d, sets, now);
  const running = active(sets.old);
  for (const rs of running) resize(d, rs, 0);
  if (running.length > 0 || oldPodsRunning(sets, podsOf)) return true;
  if (!sets.current) {
    createCurrent(d, sets, now);
    return true;
  }
  return scaleNew(d, sets.current, all(sets));
}

/** Terminating pods still run: the new ones must not meet them. */
const oldPodsRunning = ({ old }: Sets, podsOf: PodsOf): boolean =>
  old.some((rs) => (rs.status?.replicas ?? 0) > 0 || podsOf(rs).some((pod) => !isPodTerminal(pod)));

/** Old ReplicaSets beyond the history limit, lowest revision first, that have no pods left. */
function expired(d: Frozen<Deployment>, old: readonly ReplicaSet[]): string[] {
  const limit = d.spec.revisionHistoryLimit;
  if (limit === undefined || limit === null || limit === 2 ** 31 - 1) return [];
  const alive = old.filter((rs) => !rs.metadata.deletionTimestamp);
  const excess = alive.toSorted((a, b) => Number(revisionOf(a) - revisionOf(b)) || oldestFirst(a, b)).slice(0, Math.max(0, alive.length - limit));
  return excess
    .filter((rs) => (rs.status?.replicas ?? 0) === 0 && replicasOf(rs) === 0 && (rs.metadata.generation ?? 0) <= (rs.status?.observedGeneration ?? 0))
    .map((rs) => rs.metadata.name!);
}

function finish(d: Frozen<Deployment>, owned: readonly Frozen<ReplicaSet>[], sets: Sets, expiredNames: string[], rollout: boolean, now: number): DeploymentPlan {
  const counted = countStatus(d, sets.current, all(sets), sets.conditions, now);
  const status = rollout ? rolloutStatus(d, sets.current, all(sets), counted, now) : counted;
  const before = new Map(owned.map((rs) => [rs.metadata.uid, rs]));
  const changed = all(sets).filter((rs) => rs !== sets.current || !sets.created).filter((rs) => differs(before.get(rs.metadata.uid)!, rs));
  const revision = sets.current && !d.metadata.deletionTimestamp ? String(revisionOf(sets.current)) : undefined;
  const wait = untilDeadline(d, status, now);
  return {
    ...(sets.created ? { create: sets.current } : {}),
    update: changed.map((replicaSet) => ({ replicaSet, from: replicasOf(before.get(replicaSet.metadata.uid)!) })),
    delete: expiredNames,
    ...(revision && revision !== String(revisionOf(d)) ? { revision } : {}),
    status,
    ...(wait === undefined ? {} : { requeueAfter: wait }),
  };
}

/** What the steps may change. */
function differs(before: Frozen<ReplicaSet>, after: ReplicaSet): boolean {
  if (replicasOf(before) !== replicasOf(after) || before.spec.minReadySeconds !== after.spec.minReadySeconds) return true;
  const [a, b] = [before.metadata.annotations ?? {}, after.metadata.annotations ?? {}];
  return Object.keys(b).some((name) => a[name] !== b[name]);
}
