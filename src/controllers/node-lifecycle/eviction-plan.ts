import type { Frozen } from "../../apimachinery/meta.ts";
import type { Taint, Toleration } from "../../apis/generated/core/v1.ts";

export type Eviction = { evict: "never" } | { evict: "now" } | { evict: "at"; time: number };

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

/** When a pod has to leave a node with these taints. Its shortest tolerated time counts, from when the last of the taints was added. Source: tainteviction. */
export function planEviction(taints: readonly Frozen<Taint>[], tolerations: readonly Frozen<Toleration>[], now: number): Eviction {
  const noExecute = taints.filter((taint) => taint.effect === "NoExecute");
  if (noExecute.length === 0) return { evict: "never" };
  let seconds = Infinity;
  for (const taint of noExecute) {
    const matching = tolerations.filter((toleration) => tolerates(toleration, taint));
    if (matching.length === 0) return { evict: "now" };
    for (const { tolerationSeconds } of matching) if (tolerationSeconds !== undefined && tolerationSeconds !== null) seconds = Math.min(seconds, Math.max(0, tolerationSeconds));
  }
  if (seconds === Infinity) return { evict: "never" };
  const since = Math.max(...noExecute.map((taint) => (taint.timeAdded ? Date.parse(taint.timeAdded) : now)));
  const time = since + seconds * 1000;
  return time <= now ? { evict: "now" } : { evict: "at", time };
}
