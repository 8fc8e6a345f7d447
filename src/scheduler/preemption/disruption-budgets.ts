import type { Frozen } from "../../apimachinery/meta.ts";
import { matchesLabels, type Selector } from "../../apimachinery/selectors/labels.ts";
import type { PodDisruptionBudget } from "../../apis/generated/policy/v1.ts";
import { parseSelector } from "../affinity-term.ts";
import type { PodInfo } from "../pod-info.ts";

/** A PodDisruptionBudget ready to be asked about many pods. */
export interface Budget {
  readonly namespace: string;
  readonly selector: Selector;
  readonly allowed: number;
  /** Names of pods whose eviction is counted already. */
  readonly disrupted: ReadonlySet<string>;
}

export const parseBudget = ({ metadata, spec, status }: Frozen<PodDisruptionBudget>): Budget => ({
  namespace: metadata.namespace!, selector: parseSelector(spec?.selector), allowed: status?.disruptionsAllowed ?? 0, disrupted: new Set(Object.keys(status?.disruptedPods ?? {})),
});

/** Which pods can't go without a budget being broken, if they go in this order. Source: kubernetes plugins/defaultpreemption (filterPodsWithPDBViolation). */
export function splitByViolation(pods: readonly PodInfo[], budgets: readonly Budget[]): { violating: PodInfo[]; others: PodInfo[] } {
  const left = budgets.map(({ allowed }) => allowed);
  const violating: PodInfo[] = [], others: PodInfo[] = [];
  for (const pod of pods) {
    let violated = false;
    budgets.forEach((budget, i) => {
      if (protects(budget, pod) && --left[i]! < 0) violated = true;
    });
    (violated ? violating : others).push(pod);
  }
  return { violating, others };
}

/** A budget without a selector, and a pod without labels, have nothing to do with each other. */
function protects({ namespace, selector, disrupted }: Budget, { pod: { metadata } }: PodInfo): boolean {
  if (namespace !== metadata.namespace || selector.length === 0 || Object.keys(metadata.labels ?? {}).length === 0) return false;
  return matchesLabels(selector, metadata.labels) && !disrupted.has(metadata.name!);
}
