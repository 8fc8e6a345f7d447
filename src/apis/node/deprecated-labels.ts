import type { Frozen, LabelSelector } from "../../apimachinery/meta.ts";

/** Labels of nodes that have been replaced. Source: pkg/api/node/util.go. */
const deprecatedNodeLabels: Readonly<Record<string, string>> = {
  "beta.kubernetes.io/arch": `deprecated since v1.14; use "kubernetes.io/arch" instead`,
  "beta.kubernetes.io/os": `deprecated since v1.14; use "kubernetes.io/os" instead`,
  "failure-domain.beta.kubernetes.io/region": `deprecated since v1.17; use "topology.kubernetes.io/region" instead`,
  "failure-domain.beta.kubernetes.io/zone": `deprecated since v1.17; use "topology.kubernetes.io/zone" instead`,
  "beta.kubernetes.io/instance-type": `deprecated since v1.17; use "node.kubernetes.io/instance-type" instead`,
  "app.kubernetes.io/created-by": "deprecated since v1.9",
  "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
  "node-role.kubernetes.io/master": `use "node-role.kubernetes.io/control-plane" instead`,
};

/** What to use instead of a label; undefined when it is all right. */
const replacementOf = (label: string): string | undefined => (Object.hasOwn(deprecatedNodeLabels, label) ? deprecatedNodeLabels[label] : undefined);

export function deprecatedLabelWarning(field: string, label: string): string[] {
  const replacement = replacementOf(label);
  return replacement ? [`${field}: ${replacement}`] : [];
}

export function selectorLabelWarnings(field: string, { matchExpressions = [], matchLabels = {} }: Frozen<LabelSelector> = {}): string[] {
  const named = (at: string, label: string): string[] => deprecatedLabelWarning(at, label).map((text) => text.replace(": ", `: ${label} is `));
  return [
    ...matchExpressions.flatMap(({ key }, index) => named(`${field}.matchExpressions[${index}].key`, key)),
    ...Object.keys(matchLabels).flatMap((label) => deprecatedLabelWarning(`${field}.matchLabels.${label}`, label)),
  ];
}
