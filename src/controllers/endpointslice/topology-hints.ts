import type { Frozen } from "../../apimachinery/meta.ts";
import type { Endpoint, EndpointSlice } from "../../apis/generated/discovery/v1.ts";
import { isReady, removeHints, touch } from "./hints.ts";
import type { SlicePlan } from "./plan.ts";
import { allocate, type Allocation, type ZoneShares } from "./zone-shares.ts";

/** How many endpoints are for each zone, or why none are for any. */
export type HintsOutcome = { hints: Map<string, number> } | { disabled: string };

/**
 * Shares the ready endpoints out among the zones in proportion to their processors: each is for its own zone first, then those that
 * a zone has too many of are for others. Changes only slices whose hints can't stay. Source: TopologyCache.AddHints.
 */
export function hintZones(plan: SlicePlan, shares: ZoneShares | undefined): HintsOutcome {
  const disable = (disabled: string): HintsOutcome => {
    removeHints(plan);
    return { disabled };
  };
  const ready = [...plan.create, ...plan.update, ...plan.unchanged].reduce((sum, { endpoints }) => sum + endpoints.filter(isReady).length, 0);
  const allocations = allocate(shares, ready);
  if (typeof allocations === "string") return disable(allocations);
  const hints = new Map<string, number>();
  for (const slice of plan.unchanged) {
    const zones = hintedZones(slice, hints, allocations);
    if (!zones) touch(plan, slice);
    else for (const [zone, count] of zones) add(hints, zone, count);
  }
  const endpoints = [...plan.create, ...plan.update].flatMap((slice) => slice.endpoints);
  for (const endpoint of endpoints) if (!isReady(endpoint)) delete endpoint.hints;
  const hinted = endpoints.filter(isReady);
  if (hinted.some(({ zone }) => !zone)) return disable("One or more endpoints do not have a zone specified");
  for (const endpoint of hinted) {
    endpoint.hints = { forZones: [{ name: endpoint.zone! }] };
    add(hints, endpoint.zone!, 1);
  }
  redistribute(hinted, hints, allocations);
  return hints.size === 0 ? disable("No hints allocated for zones") : { hints };
}

const add = (counts: Map<string, number>, zone: string, by: number): void => void counts.set(zone, (counts.get(zone) ?? 0) + by);

/** The zones that a slice's endpoints are for, beside those `counted` already; undefined when its hints are wrong. */
function hintedZones(slice: Frozen<EndpointSlice>, counted: ReadonlyMap<string, number>, allocations: ReadonlyMap<string, Allocation>): Map<string, number> | undefined {
  const zones = new Map<string, number>();
  for (const endpoint of slice.endpoints.filter(isReady)) {
    const own = endpoint.hints?.forZones ?? [];
    if (own.length === 0 || own.some(({ name }) => !allocations.has(name))) return undefined;
    for (const { name } of own) add(zones, name, 1);
  }
  return [...zones].every(([zone, count]) => count + (counted.get(zone) ?? 0) <= allocations.get(zone)!.maximum) ? zones : undefined;
}

/** Makes endpoints of zones that have too many be for zones that have too few, and counts that. */
function redistribute(endpoints: readonly Endpoint[], hints: Map<string, number>, allocations: ReadonlyMap<string, Allocation>): void {
  const { giving, receiving } = givers(hints, allocations);
  for (const endpoint of endpoints) {
    const [to] = receiving.keys();
    if (to === undefined) return;
    const from = endpoint.zone!;
    if (!giving.has(from)) continue;
    endpoint.hints = { forZones: [{ name: to }] };
    take(giving, from);
    take(receiving, to);
    add(hints, from, -1);
    add(hints, to, 1);
  }
}

function take(counts: Map<string, number>, zone: string): void {
  const left = counts.get(zone)! - 1;
  if (left === 0) counts.delete(zone);
  else counts.set(zone, left);
}

/** How many endpoints zones give to and get from others, those the furthest from what they are to have first. */
function givers(hints: ReadonlyMap<string, number>, allocations: ReadonlyMap<string, Allocation>): { giving: Map<string, number>; receiving: Map<string, number> } {
  const differences = new Map([...allocations].map(([zone, { desired }]) => [zone, (hints.get(zone) ?? 0) - desired]));
  const giving = new Map<string, number>(), receiving = new Map<string, number>();
  for (;;) {
    const sorted = [...differences].toSorted(([, a], [, b]) => b - a);
    const [from, surplus] = sorted[0]!, [to, negative] = sorted.at(-1)!;
    const lack = -negative;
    if (surplus < 0.5 || lack < 0.5 || (surplus < 1 && lack < 1)) return { giving, receiving };
    add(giving, from, 1);
    add(receiving, to, 1);
    differences.set(from, surplus - 1);
    differences.set(to, negative + 1);
  }
}
