import type { Frozen } from "../../../apimachinery/meta.ts";
import type { Pod, PodAffinityTerm } from "../../generated/core/v1.ts";
import type { LabelSelector } from "../../generated/meta/v1.ts";
import { qosClassOf } from "./qos.ts";

/** A new pod's status, and what its labels fill into its scheduling rules. */
export function prepareForCreate(pod: Pod): void {
  pod.status = { phase: "Pending", qosClass: qosClassOf(pod as Frozen<Pod>) };
  if (pod.spec.schedulingGates?.length) {
    pod.status.conditions = [{ type: "PodScheduled", status: "False", reason: "SchedulingGated", message: "Scheduling is blocked due to non-empty scheduling gates" }];
  }
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
  for (const affinity of [podAffinity, podAntiAffinity]) {
    for (const term of affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) mergeTermKeys(pod, term);
    for (const { podAffinityTerm } of affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []) if (podAffinityTerm) mergeTermKeys(pod, podAffinityTerm);
  }
  for (const { matchLabelKeys, labelSelector } of pod.spec.topologySpreadConstraints ?? []) mergeLabelKeys(pod, labelSelector, matchLabelKeys, "In");
}

function mergeTermKeys(pod: Pod, { labelSelector, matchLabelKeys, mismatchLabelKeys }: PodAffinityTerm): void {
  mergeLabelKeys(pod, labelSelector, matchLabelKeys, "In");
  mergeLabelKeys(pod, labelSelector, mismatchLabelKeys, "NotIn");
}

/** Turns `matchLabelKeys` into requirements with the pod's own values, once, so that a later change of its labels does not move the rule. */
function mergeLabelKeys(pod: Pod, selector: LabelSelector | undefined, keys: readonly string[] | undefined, operator: "In" | "NotIn"): void {
  if (!selector) return;
  for (const key of keys ?? []) {
    const { labels = {} } = pod.metadata;
    if (Object.hasOwn(labels, key)) (selector.matchExpressions ??= []).push({ key, operator, values: [labels[key]!] });
  }
}
