import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import type { Deployment, ReplicaSet } from "../../apis/generated/apps/v1.ts";
import type { EventType } from "../../client/recorder.ts";
import { notCopied, revisionOf, rollbackAnnotation } from "./annotations.ts";
import { podTemplateHash, sameTemplate } from "./template.ts";

export interface Rollback {
  /** The Deployment as it is to be: without the annotation, and with the old template if there is one. */
  deployment: Deployment;
  event: { type: EventType; reason: string; message: string };
}

/**
 * What the annotation that stands for spec.rollbackTo of old API versions asks for: the template of a revision, 0 being the last but one.
 * Undefined when nothing is asked, or nothing that is a number. Source: rollback.go of Kubernetes' deployment controller.
 */
export function planRollback(d: Frozen<Deployment>, owned: readonly Frozen<ReplicaSet>[]): Rollback | undefined {
  const asked = d.metadata.annotations?.[rollbackAnnotation] ?? "";
  if (d.spec.paused || !/^[+-]?\d{1,18}$/.test(asked)) return undefined;
  const deployment = thaw<Deployment>(d);
  delete deployment.metadata.annotations![rollbackAnnotation];
  const warn = (reason: string, message: string): Rollback => ({ deployment, event: { type: "Warning", reason, message } });
  const revision = BigInt(asked) || lastButOne(owned.map(revisionOf));
  if (!revision) return warn("DeploymentRollbackRevisionNotFound", "Unable to find last revision.");
  const target = owned.find((rs) => revisionOf(rs) === revision);
  if (!target) return warn("DeploymentRollbackRevisionNotFound", "Unable to find the revision to rollback to.");
  if (sameTemplate(target.spec.template, d.spec.template)) return warn("DeploymentRollbackTemplateUnchanged", `The rollback revision contains the same template as current deployment ${JSON.stringify(d.metadata.name)}`);
  restore(deployment, target);
  return { deployment, event: { type: "Normal", reason: "DeploymentRollback", message: `Rolled back deployment ${JSON.stringify(d.metadata.name)} to revision ${revision}` } };
}

const lastButOne = (revisions: readonly bigint[]): bigint => revisions.toSorted((a, b) => (a < b ? 1 : -1))[1] ?? 0n;

/** Template and annotations, such as kubernetes.io/change-cause, of that ReplicaSet. */
function restore(deployment: Deployment, rs: Frozen<ReplicaSet>): void {
  const template = thaw<Deployment["spec"]["template"]>(rs.spec.template!);
  delete template.metadata?.labels?.[podTemplateHash];
  deployment.spec.template = template;
  const own = Object.entries(deployment.metadata.annotations ?? {}).filter(([name]) => notCopied.has(name));
  const copied = Object.entries(rs.metadata.annotations ?? {}).filter(([name]) => !notCopied.has(name));
  deployment.metadata.annotations = Object.fromEntries([...own, ...copied]);
}
