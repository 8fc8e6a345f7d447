import type { Frozen } from "../../apimachinery/meta.ts";
import type { Deployment, ReplicaSet } from "../../apis/generated/apps/v1.ts";
import { annotateReplicas, desiredReplicasOf, maxReplicasOf } from "./annotations.ts";
import { active, isRolling, maxSurge, maxUnavailable, newReplicas, replicasOf, round, total, totalStatus, wanted } from "./replicas.ts";

/** Each function changes working copies of ReplicaSets in place and says whether it changed a size. Source: sync.go, rolling.go and recreate.go of Kubernetes' deployment controller. */

export function resize(d: Frozen<Deployment>, rs: ReplicaSet, replicas: number): boolean {
  const changed = replicasOf(rs) !== replicas;
  rs.spec.replicas = replicas;
  annotateReplicas(d, rs);
  return changed;
}

/** Whether the Deployment's size was changed since its ReplicaSets were sized. */
export function isScaling(d: Frozen<Deployment>, all: readonly ReplicaSet[]): boolean {
  return active(all).some((rs) => {
    const desired = desiredReplicasOf(rs);
    return desired !== undefined && desired !== wanted(d);
  });
}

export function scaleNew(d: Frozen<Deployment>, current: ReplicaSet, all: readonly ReplicaSet[]): boolean {
  const replicas = replicasOf(current);
  if (replicas === wanted(d)) return false;
  const target = replicas > wanted(d) ? wanted(d) : newReplicas(d, all, replicas);
  return target !== replicas && resize(d, current, target);
}

/** Takes replicas from the old ones, as many as the pods that are available allow: first those that don't work anyway. */
export function scaleDownOld(d: Frozen<Deployment>, current: ReplicaSet | undefined, old: readonly ReplicaSet[]): boolean {
  if (total(old) === 0) return false;
  const all = current ? [...old, current] : old;
  const minAvailable = wanted(d) - maxUnavailable(d);
  const newUnavailable = current ? replicasOf(current) - (current.status?.availableReplicas ?? 0) : 0;
  const maxScaledDown = total(all) - minAvailable - newUnavailable;
  if (maxScaledDown <= 0) return false;
  const cleaned = takeFrom(d, old, maxScaledDown, (rs) => replicasOf(rs) - (rs.status?.availableReplicas ?? 0));
  const spare = totalStatus(all, "availableReplicas") - minAvailable;
  return takeFrom(d, old, spare, replicasOf) || cleaned;
}

function takeFrom(d: Frozen<Deployment>, old: readonly ReplicaSet[], atMost: number, offered: (rs: ReplicaSet) => number): boolean {
  let left = atMost;
  let changed = false;
  for (const rs of old.toSorted(oldestFirst)) {
    const count = Math.min(left, offered(rs), replicasOf(rs));
    if (count <= 0) continue;
    resize(d, rs, replicasOf(rs) - count);
    left -= count;
    changed = true;
  }
  return changed;
}

/** A change of the Deployment's size alone: one ReplicaSet takes it all, several in the middle of a rollout share it in proportion. */
export function scaleTo(d: Frozen<Deployment>, current: ReplicaSet | undefined, old: readonly ReplicaSet[]): void {
  const only = activeOrLatest(current, old);
  if (only) {
    if (replicasOf(only) !== wanted(d)) resize(d, only, wanted(d));
    return;
  }
  if (current && isSaturated(d, current)) {
    for (const rs of active(old)) resize(d, rs, 0);
  } else if (isRolling(d)) scaleProportionally(d, active(current ? [...old, current] : old));
}

function activeOrLatest(current: ReplicaSet | undefined, old: readonly ReplicaSet[]): ReplicaSet | undefined {
  const running = active(current ? [...old, current] : old);
  if (running.length > 1) return undefined;
  return running[0] ?? current ?? old.toSorted(oldestFirst).at(-1);
}

const isSaturated = (d: Frozen<Deployment>, rs: ReplicaSet): boolean =>
  replicasOf(rs) === wanted(d) && desiredReplicasOf(rs) === wanted(d) && (rs.status?.availableReplicas ?? 0) === wanted(d);

function scaleProportionally(d: Frozen<Deployment>, sets: readonly ReplicaSet[]): void {
  const allowed = wanted(d) > 0 ? wanted(d) + maxSurge(d) : 0;
  const toAdd = allowed - total(sets);
  const sorted = sets.toSorted((a, b) => replicasOf(b) - replicasOf(a) || (toAdd > 0 ? oldestFirst(b, a) : oldestFirst(a, b)));
  let added = 0;
  const sizes = sorted.map((rs) => {
    const share = toAdd === 0 ? 0 : clampTo(fraction(d, rs), toAdd - added);
    added += share;
    return replicasOf(rs) + share;
  });
  // What rounding left over goes to the biggest.
  if (sizes.length > 0) sizes[0] = Math.max(0, sizes[0]! + toAdd - added);
  sorted.forEach((rs, i) => resize(d, rs, sizes[i]!));
}

const clampTo = (share: number, left: number): number => (left > 0 ? Math.min(share, left) : left < 0 ? Math.max(share, left) : 0);

function fraction(d: Frozen<Deployment>, rs: ReplicaSet): number {
  if (wanted(d) === 0) return -replicasOf(rs);
  const before = maxReplicasOf(rs) || d.status?.replicas || 0;
  return before === 0 ? 0 : round((replicasOf(rs) * (wanted(d) + maxSurge(d))) / before) - replicasOf(rs);
}

export const oldestFirst = (a: Frozen<ReplicaSet>, b: Frozen<ReplicaSet>): number =>
  Date.parse(a.metadata.creationTimestamp ?? "") - Date.parse(b.metadata.creationTimestamp ?? "") || (a.metadata.name! < b.metadata.name! ? -1 : 1);
