import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import { amountsOf, listOf, only, sameAmounts, type Amounts } from "../../apis/core/quota/amounts.ts";
import type { ResourceQuota } from "../../apis/generated/core/v1.ts";

/**
 * The quota with the status it should have: hard limits as in the spec, and what is used of them as measured.
 * What can't be measured keeps its last figure. Undefined when the status says so already.
 */
export function plannedStatus(quota: Frozen<ResourceQuota>, measured: Amounts): ResourceQuota | undefined {
  const hard = amountsOf(quota.spec?.hard);
  const used = only(new Map([...amountsOf(quota.status?.used), ...measured]), hard);
  const { status } = quota;
  if (status?.hard && status.used && sameAmounts(amountsOf(status.hard), hard) && sameAmounts(amountsOf(status.used), used)) return undefined;
  return { ...thaw<ResourceQuota>(quota), status: { hard: thaw<Record<string, string>>(quota.spec?.hard as Record<string, string> ?? {}), used: listOf(used) } };
}
