import type { Frozen } from "../../apimachinery/meta.ts";
import type { Node, Taint, Toleration } from "../../apis/generated/core/v1.ts";

/** v1.Toleration.ToleratesTaint. */
export function tolerates(toleration: Frozen<Toleration>, taint: Frozen<Taint>): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  const [have, ask] = [taint.value ?? "", toleration.value ?? ""];
  switch (toleration.operator ?? "Equal") {
    case "Exists": return true;
    case "Equal": return !!toleration.key && have === ask;
    case "Lt": return isInteger(have) && isInteger(ask) && BigInt(have) < BigInt(ask);
    case "Gt": return isInteger(have) && isInteger(ask) && BigInt(have) > BigInt(ask);
  }
}

const isInteger = (text: string): boolean => /^-?\d+$/.test(text);

export const noExecuteTaints = (node: Frozen<Node> | undefined): readonly Frozen<Taint>[] => (node?.spec.taints ?? []).filter((taint) => taint.effect === "NoExecute");

/**
 * For how many milliseconds a pod may stay on a node with these taints: 0 to leave at once, Infinity to stay. The first toleration that
 * fits a taint is the one that counts, and the shortest of those. Source: tainteviction.
 */
export function toleratedFor(taints: readonly Frozen<Taint>[], tolerations: readonly Frozen<Toleration>[]): number {
  let shortest = Infinity;
  for (const taint of taints) {
    const toleration = tolerations.find((one) => tolerates(one, taint));
    if (!toleration) return 0;
    const { tolerationSeconds } = toleration;
    if (tolerationSeconds !== undefined && tolerationSeconds !== null) shortest = Math.min(shortest, Math.max(0, tolerationSeconds) * 1000);
  }
  return shortest;
}
