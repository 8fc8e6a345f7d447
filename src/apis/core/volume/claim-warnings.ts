import type { Frozen } from "../../../apimachinery/meta.ts";
import { formatQuantity, milliValue, quantityOf } from "../../../apimachinery/quantity.ts";
import type { PersistentVolumeClaimSpec } from "../../generated/core/v1.ts";

/** Also of the claims that ephemeral volumes and StatefulSets make. */
export function claimSpecWarnings(field: string, { resources }: Frozen<PersistentVolumeClaimSpec>): string[] {
  return (["requests", "limits"] as const).flatMap((list) => {
    const amount = resources?.[list]?.["storage"];
    if (amount === undefined || milliValue(amount) % 1000 === 0) return [];
    return [`${field}.resources.${list}[storage]: fractional byte value ${JSON.stringify(formatQuantity(quantityOf(amount)))} is invalid, must be an integer`];
  });
}
