import type { Frozen } from "../../apimachinery/meta.ts";
import type { Deployment, ReplicaSet } from "../../apis/generated/apps/v1.ts";
import { maxSurge } from "./replicas.ts";

export const revisionAnnotation = "deployment.kubernetes.io/revision";
export const revisionHistoryAnnotation = "deployment.kubernetes.io/revision-history";
export const desiredReplicasAnnotation = "deployment.kubernetes.io/desired-replicas";
export const maxReplicasAnnotation = "deployment.kubernetes.io/max-replicas";

export const rollbackAnnotation = "deprecated.deployment.rollback.to";

/** What a ReplicaSet doesn't inherit from its Deployment's annotations. Everything else, such as kubernetes.io/change-cause, it does. */
export const notCopied: ReadonlySet<string> = new Set(["kubectl.kubernetes.io/last-applied-configuration", revisionAnnotation, revisionHistoryAnnotation, desiredReplicasAnnotation, maxReplicasAnnotation, rollbackAnnotation]);

/** An int64, of which users may set any; 0 when there is none. */
export function revisionOf(object: Frozen<ReplicaSet> | Frozen<Deployment>): bigint {
  const text = object.metadata.annotations?.[revisionAnnotation] ?? "";
  const revision = /^-?\d{1,19}$/.test(text) ? BigInt(text) : 0n;
  return BigInt.asIntN(64, revision) === revision ? revision : 0n;
}

export const desiredReplicasOf = (rs: Frozen<ReplicaSet>): number | undefined => integer(rs.metadata.annotations?.[desiredReplicasAnnotation]);
export const maxReplicasOf = (rs: Frozen<ReplicaSet>): number | undefined => integer(rs.metadata.annotations?.[maxReplicasAnnotation]);

function integer(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}

/** Brings the annotations of the new ReplicaSet up to date, in place. `created` also sets the replica numbers, which later follow scaling. */
export function annotateNew(d: Frozen<Deployment>, rs: ReplicaSet, revision: bigint, created: boolean): void {
  const annotations = (rs.metadata.annotations ??= {});
  for (const [name, value] of Object.entries(d.metadata.annotations ?? {})) if (!notCopied.has(name)) annotations[name] = value;
  const old = annotations[revisionAnnotation];
  if (revisionOf(rs) < revision) {
    annotations[revisionAnnotation] = String(revision);
    // A ReplicaSet that is rolled back to keeps the numbers it had.
    if (old) annotations[revisionHistoryAnnotation] = withRevision(annotations[revisionHistoryAnnotation], old);
  }
  if (created) annotateReplicas(d, rs);
}

const longestHistory = 2000;

/** The list with one more, without the oldest where it would become too long. */
function withRevision(history: string | undefined, revision: string): string {
  const revisions = [...(history ? history.split(",") : []), revision];
  while (revisions.length > 1 && revisions.join(",").length > longestHistory) revisions.shift();
  return revisions.join(",");
}

/** Tells proportional scaling, the next time, what size this one was part of. */
export function annotateReplicas(d: Frozen<Deployment>, rs: ReplicaSet): void {
  const annotations = (rs.metadata.annotations ??= {});
  annotations[desiredReplicasAnnotation] = String(d.spec.replicas ?? 1);
  annotations[maxReplicasAnnotation] = String((d.spec.replicas ?? 1) + maxSurge(d));
}
