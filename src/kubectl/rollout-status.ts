import { KubectlError } from "./errors.ts";
import { at, type PlainObject } from "./objects.ts";

/** Where a rollout is: a line to tell, and whether it is over. Source: k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go. */
export interface RolloutStatus { message: string; done: boolean }

export function rolloutStatus(object: PlainObject, revision = 0): RolloutStatus {
  switch (object.kind) {
    case "Deployment": return deploymentStatus(object, revision);
    case "DaemonSet": return daemonSetStatus(object);
    case "StatefulSet": return statefulSetStatus(object);
    default: throw new KubectlError(`no status viewer has been implemented for ${object.kind}`);
  }
}

const count = (object: PlainObject, ...path: string[]): number => (at(object, ...path) as number | undefined) ?? 0;
const observed = (object: PlainObject): boolean => (object.metadata.generation ?? 0) <= count(object, "status", "observedGeneration");
const waiting = (message: string): RolloutStatus => ({ message: `${message}\n`, done: false });
const finished = (message: string): RolloutStatus => ({ message: `${message}\n`, done: true });

export const revisionAnnotation = "deployment.kubernetes.io/revision";

function deploymentStatus(deployment: PlainObject, revision: number): RolloutStatus {
  const name = JSON.stringify(deployment.metadata.name);
  const current = Number(deployment.metadata.annotations?.[revisionAnnotation] ?? 0);
  if (revision > 0 && revision !== current) throw new KubectlError(`desired revision (${revision}) is different from the running revision (${current})`);
  if (!observed(deployment)) return waiting("Waiting for deployment spec update to be observed...");
  const conditions = (at(deployment, "status", "conditions") ?? []) as { type: string; reason?: string }[];
  if (conditions.some(({ type, reason }) => type === "Progressing" && reason === "ProgressDeadlineExceeded")) throw new KubectlError(`deployment ${name} exceeded its progress deadline`);
  const wanted = (at(deployment, "spec", "replicas") as number | undefined) ?? 1;
  const updated = count(deployment, "status", "updatedReplicas"), replicas = count(deployment, "status", "replicas"), available = count(deployment, "status", "availableReplicas");
  if (updated < wanted) return waiting(`Waiting for deployment ${name} rollout to finish: ${updated} out of ${wanted} new replicas have been updated...`);
  if (replicas > updated) return waiting(`Waiting for deployment ${name} rollout to finish: ${replicas - updated} old replicas are pending termination...`);
  if (available < updated) return waiting(`Waiting for deployment ${name} rollout to finish: ${available} of ${updated} updated replicas are available...`);
  return finished(`deployment ${name} successfully rolled out`);
}

function daemonSetStatus(daemonSet: PlainObject): RolloutStatus {
  const name = JSON.stringify(daemonSet.metadata.name);
  if (at(daemonSet, "spec", "updateStrategy", "type") !== "RollingUpdate") throw new KubectlError("rollout status is only available for RollingUpdate strategy type");
  if (!observed(daemonSet)) return waiting("Waiting for daemon set spec update to be observed...");
  const wanted = count(daemonSet, "status", "desiredNumberScheduled"), updated = count(daemonSet, "status", "updatedNumberScheduled"), available = count(daemonSet, "status", "numberAvailable");
  if (updated < wanted) return waiting(`Waiting for daemon set ${name} rollout to finish: ${updated} out of ${wanted} new pods have been updated...`);
  if (available < wanted) return waiting(`Waiting for daemon set ${name} rollout to finish: ${available} of ${wanted} updated pods are available...`);
  return finished(`daemon set ${name} successfully rolled out`);
}

function statefulSetStatus(set: PlainObject): RolloutStatus {
  if (at(set, "spec", "updateStrategy", "type") !== "RollingUpdate") throw new KubectlError("rollout status is only available for RollingUpdate strategy type");
  if (count(set, "status", "observedGeneration") === 0 || !observed(set)) return waiting("Waiting for statefulset spec update to be observed...");
  const wanted = (at(set, "spec", "replicas") as number | undefined) ?? 1, ready = count(set, "status", "readyReplicas"), updated = count(set, "status", "updatedReplicas");
  if (ready < wanted) return waiting(`Waiting for ${wanted - ready} pods to be ready...`);
  // The API server sets it for all whose strategy is RollingUpdate: partition 0 is told of like any other.
  if (at(set, "spec", "updateStrategy", "rollingUpdate")) {
    const above = wanted - count(set, "spec", "updateStrategy", "rollingUpdate", "partition");
    if (updated < above) return waiting(`Waiting for partitioned roll out to finish: ${updated} out of ${above} new pods have been updated...`);
    return finished(`partitioned roll out complete: ${updated} new pods have been updated...`);
  }
  const revision = String(at(set, "status", "updateRevision") ?? "");
  if (revision !== String(at(set, "status", "currentRevision") ?? "")) return waiting(`waiting for statefulset rolling update to complete ${updated} pods at revision ${revision}...`);
  return finished(`statefulset rolling update complete ${count(set, "status", "currentReplicas")} pods at revision ${String(at(set, "status", "currentRevision") ?? "")}...`);
}
