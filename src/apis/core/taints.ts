import type { Frozen } from "../../apimachinery/meta.ts";
import type { Taint, Toleration } from "../generated/core/v1.ts";

export type Tolerations = readonly Frozen<Toleration>[] | undefined;

/** Source: k8s.io/component-helpers/scheduling/corev1 (ToleratesTaint). An empty key with Exists tolerates all keys, an empty effect all effects. */
export function tolerates(toleration: Frozen<Toleration>, taint: Frozen<Taint>): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  if (toleration.operator === "Exists") return true;
  return (!toleration.operator || toleration.operator === "Equal") && (toleration.value ?? "") === (taint.value ?? "");
}

export const isTolerated = (taint: Frozen<Taint>, tolerations: Tolerations): boolean => tolerations?.some((toleration) => tolerates(toleration, taint)) ?? false;

/** The first taint that keeps a pod away. */
export const untoleratedTaint = (taints: readonly Frozen<Taint>[] | undefined, tolerations: Tolerations): Frozen<Taint> | undefined =>
  taints?.find((taint) => taint.effect !== "PreferNoSchedule" && !isTolerated(taint, tolerations));
