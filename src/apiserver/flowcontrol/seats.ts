import type { Frozen } from "../../apimachinery/meta.ts";
import type { PriorityLevelConfiguration } from "../../apis/generated/flowcontrol/v1.ts";

/** How many seats a priority level has: of its own, at the least when it lends, at the most when it borrows. */
export interface SeatLimits {
  nominal: number;
  least: number;
  most: number;
}

/** Shares out `total` seats among limited levels. Source: the formulas of KEP-1040 and of the API's documentation. */
export function seatLimits(levels: readonly Frozen<PriorityLevelConfiguration>[], total: number): Map<string, SeatLimits> {
  const sharesOf = ({ spec }: Frozen<PriorityLevelConfiguration>): number => spec.type === "Exempt" ? spec.exempt?.nominalConcurrencyShares ?? 0 : spec.limited?.nominalConcurrencyShares ?? 30;
  const sum = levels.reduce((shares, level) => shares + sharesOf(level), 0);
  return new Map(levels.filter(({ spec }) => spec.type !== "Exempt").map((level) => {
    const { lendablePercent = 0, borrowingLimitPercent } = level.spec.limited ?? {};
    const nominal = Math.max(1, Math.ceil((total * sharesOf(level)) / Math.max(1, sum)));
    const lendable = Math.round((nominal * lendablePercent) / 100);
    return [level.metadata.name!, { nominal, least: Math.max(1, nominal - lendable), most: borrowingLimitPercent === undefined ? total : nominal + Math.round((nominal * borrowingLimitPercent) / 100) }];
  }));
}

/** Seats in use by limited levels, and who may take more. */
export interface SeatUse {
  readonly limits: SeatLimits;
  inUse: number;
}

/**
 * Whether `level` may take `width` seats now. What it can't lend it may always use; beyond that seats must be free that no other level could
 * claim: each keeps its least. So a level borrows only what others don't use, and gets its own back as requests end.
 */
export function mayTake(level: SeatUse, width: number, all: Iterable<SeatUse>, total: number): boolean {
  const { limits, inUse } = level;
  if (inUse + width <= limits.least) return true;
  if (inUse + width > limits.most) return false;
  let taken = width;
  for (const other of all) taken += other === level ? other.inUse : Math.max(other.inUse, other.limits.least);
  return taken <= total;
}
