import type { Frozen } from "../../apimachinery/meta.ts";
import { labelValueErrors } from "../../apimachinery/validation/names.ts";
import type { NodeSelectorTerm } from "../generated/core/v1.ts";

/** Labels of nodes that were renamed, or mean nothing any more. */
const deprecated: Readonly<Record<string, string>> = {
  "beta.kubernetes.io/arch": "deprecated since v1.14; use \"kubernetes.io/arch\" instead",
  "beta.kubernetes.io/os": "deprecated since v1.14; use \"kubernetes.io/os\" instead",
  "failure-domain.beta.kubernetes.io/region": "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
  "failure-domain.beta.kubernetes.io/zone": "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
  "beta.kubernetes.io/instance-type": "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead",
  "app.kubernetes.io/created-by": "deprecated since v1.9",
  "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
  "node-role.kubernetes.io/master": "use \"node-role.kubernetes.io/control-plane\" instead",
};

export const deprecatedNodeLabel = (label: string): string | undefined => (Object.hasOwn(deprecated, label) ? deprecated[label] : undefined);

/** `checkValues` where validation lets wrong label values pass: in preferences. */
export function nodeTermWarnings(field: string, { matchExpressions = [] }: Frozen<NodeSelectorTerm>, checkValues: boolean): string[] {
  return matchExpressions.flatMap(({ key, values = [] }, index) => {
    const at = `${field}.matchExpressions[${index}]`, message = deprecatedNodeLabel(key);
    const wrong = checkValues ? values.flatMap((value, place) => labelValueErrors(value).map((problem) => `${at}.values[${place}]: ${value} is invalid, ${problem}`)) : [];
    return [...(message === undefined ? [] : [`${at}.key: ${key} is ${message}`]), ...wrong];
  });
}
