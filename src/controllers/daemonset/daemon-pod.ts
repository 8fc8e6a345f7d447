import type { Frozen } from "../../apimachinery/meta.ts";
import { daemonsets } from "../../apis/builtins.ts";
import type { DaemonSet } from "../../apis/generated/apps/v1.ts";
import type { Affinity, Pod } from "../../apis/generated/core/v1.ts";
import { podFromTemplate } from "../pod-control.ts";
import { daemonTolerations } from "./eligibility.ts";

export const hashLabel = "controller-revision-hash";
const generationLabel = "pod-template-generation";
const generationAnnotation = "deprecated.daemonset.template.generation";

/** A number that every change of the template raises; users may have put something else there. */
function templateGeneration(ds: Frozen<DaemonSet>): string | undefined {
  const text = ds.metadata.annotations?.[generationAnnotation];
  return text !== undefined && /^[+-]?\d{1,19}$/.test(text) ? String(BigInt(text)) : undefined;
}

/** The pod for one node, of the revision with that hash. It takes the way through the scheduler like any other. */
export function daemonPod(ds: Frozen<DaemonSet>, hash: string, node: string): Pod {
  const pod = podFromTemplate(daemonsets, ds, ds.spec!.template!);
  const generation = templateGeneration(ds);
  pod.metadata.labels = { ...pod.metadata.labels, ...(generation === undefined ? {} : { [generationLabel]: generation }), [hashLabel]: hash };
  pod.spec.tolerations = daemonTolerations(pod.spec);
  pod.spec.affinity = pinned(pod.spec.affinity, node);
  return pod;
}

/** Requires that one node; what else was required, the node met already. */
function pinned(affinity: Affinity | undefined, node: string): Affinity {
  const nodeSelectorTerms = [{ matchFields: [{ key: "metadata.name", operator: "In" as const, values: [node] }] }];
  return { ...affinity, nodeAffinity: { ...affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } };
}

/** Where the pod is, or is to be once it is scheduled; undefined for a pod that says nothing of the sort. */
export function nodeOf({ spec }: Frozen<Pod>): string | undefined {
  if (spec.nodeName) return spec.nodeName;
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const field = terms.flatMap(({ matchFields = [] }) => matchFields).find(({ key, operator }) => key === "metadata.name" && operator === "In");
  return field?.values?.length === 1 ? field.values[0] : undefined;
}

/** Whether the pod is of the DaemonSet's present template. */
export function isUpdated(ds: Frozen<DaemonSet>, hash: string): (pod: Frozen<Pod>) => boolean {
  const generation = templateGeneration(ds);
  return ({ metadata: { labels } }) => labels?.[hashLabel] === hash || (generation !== undefined && labels?.[generationLabel] === generation);
}
