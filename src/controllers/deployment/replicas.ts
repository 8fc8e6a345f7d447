import { scaledValue, type IntOrString } from "../../apimachinery/intstr.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Deployment, ReplicaSet } from "../../apis/generated/apps/v1.ts";

/** The arithmetic of a rollout. Source: k8s.io/kubernetes/pkg/controller/deployment/util/deployment_util.go. */

export const wanted = (d: Frozen<Deployment>): number => d.spec.replicas ?? 1;
export const isRolling = (d: Frozen<Deployment>): boolean => d.spec.strategy?.type !== "Recreate";

type Sized = { spec: { replicas?: number }; status?: { replicas: number; readyReplicas?: number; availableReplicas?: number; terminatingReplicas?: number } };

export const replicasOf = (rs: Frozen<Sized>): number => rs.spec.replicas ?? 1;
export const total = (sets: readonly Frozen<Sized>[]): number => sets.reduce((sum, rs) => sum + replicasOf(rs), 0);
export const totalStatus = (sets: readonly Frozen<Sized>[], field: "replicas" | "readyReplicas" | "availableReplicas" | "terminatingReplicas"): number =>
  sets.reduce((sum, rs) => sum + (rs.status?.[field] ?? 0), 0);
export const active = (sets: readonly ReplicaSet[]): ReplicaSet[] => sets.filter((rs) => replicasOf(rs) > 0);

/** Surge rounded up and unavailable rounded down; both 0 would never move, so one may then be unavailable. */
export function fenceposts(surge: IntOrString | undefined, unavailable: IntOrString | undefined, replicas: number): { surge: number; unavailable: number } {
  const resolved = { surge: scaledValue(surge ?? 0, replicas, true), unavailable: scaledValue(unavailable ?? 0, replicas, false) };
  return resolved.surge === 0 && resolved.unavailable === 0 ? { surge: 0, unavailable: 1 } : resolved;
}

function posts(d: Frozen<Deployment>): { surge: number; unavailable: number } {
  const { maxSurge, maxUnavailable } = d.spec.strategy?.rollingUpdate ?? {};
  return fenceposts(maxSurge ?? "25%", maxUnavailable ?? "25%", wanted(d));
}

export const maxSurge = (d: Frozen<Deployment>): number => (isRolling(d) ? posts(d).surge : 0);
export const maxUnavailable = (d: Frozen<Deployment>): number => (isRolling(d) && wanted(d) > 0 ? Math.min(posts(d).unavailable, wanted(d)) : 0);

/** How many replicas the new ReplicaSet, which has `current`, may have among `all`. */
export function newReplicas(d: Frozen<Deployment>, all: readonly Frozen<Sized>[], current: number): number {
  if (!isRolling(d)) return wanted(d);
  const room = wanted(d) + maxSurge(d) - total(all);
  return room <= 0 ? current : current + Math.min(room, wanted(d) - current);
}

/** Go's integer.RoundToInt32: halves away from zero. */
export const round = (value: number): number => Math.sign(value) * Math.floor(Math.abs(value) + 0.5);
