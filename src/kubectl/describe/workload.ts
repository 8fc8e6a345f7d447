import { formatLabelSelector } from "../../apimachinery/selectors/labels.ts";
import type { Deployment, ReplicaSet } from "../../apis/generated/apps/v1.ts";
import { dateText } from "../times.ts";
import type { Description } from "./description.ts";
import { describePodTemplate } from "./pod.ts";

/** `old` and `current` are the ReplicaSets that are the deployment's. */
export function describeDeployment(text: Description, { metadata = {}, spec, status = {} }: Deployment, { old, current }: { old: readonly ReplicaSet[]; current: readonly ReplicaSet[] }): void {
  text.line(0, `Name:\t${metadata.name}`).line(0, `Namespace:\t${metadata.namespace}`).line(0, `CreationTimestamp:\t${dateText(metadata.creationTimestamp)}`).labels("Labels", metadata.labels).annotations(metadata.annotations);
  text.line(0, `Selector:\t${formatLabelSelector(spec!.selector)}`);
  text.line(0, `Replicas:\t${spec!.replicas ?? 1} desired | ${status.updatedReplicas ?? 0} updated | ${status.replicas ?? 0} total | ${status.availableReplicas ?? 0} available | ${status.unavailableReplicas ?? 0} unavailable`);
  text.line(0, `StrategyType:\t${spec!.strategy?.type ?? ""}`).line(0, `MinReadySeconds:\t${spec!.minReadySeconds ?? 0}`);
  const rolling = spec!.strategy?.rollingUpdate;
  if (rolling) text.line(0, `RollingUpdateStrategy:\t${rolling.maxUnavailable} max unavailable, ${rolling.maxSurge} max surge`);
  describePodTemplate(text, spec!.template);
  if (status.conditions?.length) text.line(0, "Conditions:").line(1, "Type\tStatus\tReason").line(1, "----\t------\t------");
  for (const { type, status: is, reason } of status.conditions ?? []) text.line(1, `${type} \t${is}\t${reason ?? ""}`);
  if (old.length || current.length) text.line(0, `OldReplicaSets:\t${replicasText(old)}`).line(0, `NewReplicaSet:\t${replicasText(current)}`);
}

const replicasText = (sets: readonly ReplicaSet[]): string => sets.map(({ metadata, spec, status }) => `${metadata!.name} (${status?.replicas ?? 0}/${spec?.replicas ?? 0} replicas created)`).join(", ") || "<none>";

/** `pods` are counted by what they do; undefined when they may not be read. */
export function describeReplicaSet(text: Description, { metadata = {}, spec, status }: ReplicaSet, phases: readonly string[] | undefined): void {
  text.line(0, `Name:\t${metadata.name}`).line(0, `Namespace:\t${metadata.namespace}`).line(0, `Selector:\t${formatLabelSelector(spec!.selector)}`).labels("Labels", metadata.labels).annotations(metadata.annotations);
  const controller = metadata.ownerReferences?.find(({ controller: is }) => is);
  if (controller) text.line(0, `Controlled By:\t${controller.kind}/${controller.name}`);
  text.line(0, `Replicas:\t${status?.replicas ?? 0} current / ${spec!.replicas ?? 1} desired`);
  const count = (phase: string): number => phases!.filter((each) => each === phase).length;
  text.line(0, `Pods Status:\t${phases ? `${count("Running")} Running / ${count("Pending")} Waiting / ${count("Succeeded")} Succeeded / ${count("Failed")} Failed` : "error"}`);
  describePodTemplate(text, spec!.template!);
  if (status?.conditions?.length) text.line(0, "Conditions:").line(1, "Type\tStatus\tReason").line(1, "----\t------\t------");
  for (const { type, status: is, reason } of status?.conditions ?? []) text.line(1, `${type} \t${is}\t${reason ?? ""}`);
}
