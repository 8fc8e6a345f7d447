import type { Frozen } from "../../apimachinery/meta.ts";
import { milliValue } from "../../apimachinery/quantity.ts";
import type { Node } from "../../apis/generated/core/v1.ts";
import { isNodeReady } from "../node-status.ts";
import { zoneLabel } from "./endpoint.ts";

/** By how much an endpoint may be loaded more than on average. */
const overload = 0.2;

/** The part of the cluster's processors that each zone has. */
export type ZoneShares = ReadonlyMap<string, number>;

/** How many endpoints are to be for a zone. */
export interface Allocation {
  minimum: number;
  maximum: number;
  desired: number;
}

const isControlPlane = ({ metadata: { labels } }: Frozen<Node>): boolean => labels?.["node-role.kubernetes.io/control-plane"] !== undefined || labels?.["node-role.kubernetes.io/master"] !== undefined;

/** Undefined when they can't be told: a ready node says nothing of its zone or processors, or all are in one zone. Source: TopologyCache.SetNodes. */
export function zoneShares(nodes: readonly Frozen<Node>[]): ZoneShares | undefined {
  const byZone = new Map<string, number>();
  let total = 0;
  for (const node of nodes) {
    if (isControlPlane(node) || !isNodeReady(node)) continue;
    const zone = node.metadata.labels?.[zoneLabel];
    const cpu = milliValue(node.status?.allocatable?.["cpu"] ?? 0);
    if (!zone || cpu === 0) return undefined;
    byZone.set(zone, (byZone.get(zone) ?? 0) + cpu);
    total += cpu;
  }
  return byZone.size < 2 ? undefined : new Map([...byZone].toSorted().map(([zone, cpu]) => [zone, cpu / total]));
}

const least = (endpoints: number, share: number): number => Math.ceil(endpoints * share * (1 / (1 + overload)));

/** How many of so many endpoints each zone is to have, or why they can't be shared out. Source: TopologyCache.getAllocations. */
export function allocate(shares: ZoneShares | undefined, endpoints: number): Map<string, Allocation> | string {
  if (!shares) return "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes";
  if (shares.size > endpoints) return `Insufficient number of endpoints (${endpoints} endpoints, ${shares.size} zones)`;
  const minimums = [...shares].map(([zone, share]) => ({ zone, minimum: least(endpoints, share), desired: share * endpoints }));
  const needed = minimums.reduce((sum, { minimum }) => sum + minimum, 0);
  if (needed > endpoints) return `Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (${endpoints} endpoints, ${shares.size} zones)`;
  return new Map(minimums.map(({ zone, minimum, desired }) => [zone, { minimum, maximum: minimum + endpoints - needed, desired: Math.max(desired, minimum) }]));
}

/** Whether a zone has fewer endpoints than it needs, its share of the processors being what it is now. Source: serviceOverloaded. */
export function isOverloaded(hints: ReadonlyMap<string, number>, shares: ZoneShares | undefined): boolean {
  if (hints.size === 0) return false;
  if (!shares) return true;
  const total = [...hints.values()].reduce((sum, count) => sum + count, 0);
  return [...shares].some(([zone, share]) => (hints.get(zone) ?? -1) < least(total, share));
}
