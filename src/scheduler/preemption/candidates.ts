import { unresolvable, type FilterCycle, type Status } from "../framework.ts";
import type { NodeInfo } from "../node-info.ts";
import type { PodInfo } from "../pod-info.ts";
import { splitByViolation, type Budget } from "./disruption-budgets.ts";

/** A node where the pod would fit without some others. */
export interface Candidate {
  readonly nodeName: string;
  /** The most important first; never empty. */
  readonly victims: readonly PodInfo[];
  readonly violations: number;
}

export interface Search {
  /** Those that a dry run may find room on, in the order in which they are tried. */
  nodes: readonly NodeInfo[];
  budgets: readonly Budget[];
  /** So many are enough, once there is one among them that breaks no budget. */
  enough: number;
}

/** Tries nodes one after another, on copies. `statuses` say why the others won't do. Source: kubernetes framework/preemption (DryRunPreemption). */
export function findCandidates(pod: PodInfo, filters: FilterCycle, { nodes, budgets, enough }: Search): { candidates: Candidate[]; statuses: Map<string, Status> } {
  const harmless: Candidate[] = [], harmful: Candidate[] = [];
  const statuses = new Map<string, Status>();
  for (const node of nodes) {
    if (harmless.length > 0 && harmless.length + harmful.length >= enough) break;
    const found = selectVictims(pod, node, filters, budgets);
    if ("status" in found) statuses.set(node.name, found.status);
    else (found.violations === 0 ? harmless : harmful).push(found);
  }
  return { candidates: [...harmless, ...harmful], statuses };
}

const noVictims = unresolvable("No preemption victims found for incoming pod");

/**
 * The fewest pods whose going makes room: all of less priority are taken off, then as many as fit are put back, those whose going would break
 * a budget first, and the more important before the others. Source: kubernetes plugins/defaultpreemption (SelectVictimsOnNode).
 */
export function selectVictims(pod: PodInfo, original: NodeInfo, shared: FilterCycle, budgets: readonly Budget[]): Candidate | { status: Status } {
  const lesser = [...original.pods.values()].filter(({ priority }) => priority < pod.priority);
  if (lesser.length === 0) return { status: noVictims };
  const node = original.clone();
  const filters = shared.clone();
  const remove = (other: PodInfo): void => {
    node.remove(other.uid);
    filters.removePod(other, node);
  };
  lesser.forEach(remove);
  const status = filters.filter(node);
  if (status) return { status };

  /** True when the other can stay. */
  const stays = (other: PodInfo): boolean => {
    node.add(other);
    filters.addPod(other, node);
    if (!filters.filter(node)) return true;
    remove(other);
    return false;
  };
  const { violating, others } = splitByViolation(lesser.toSorted(byImportance), budgets);
  const broken = violating.filter((other) => !stays(other));
  const victims = [...broken, ...others.filter((other) => !stays(other))].toSorted(byImportance);
  if (victims.length === 0) throw new Error(`expected at least one victim pod on node ${JSON.stringify(node.name)}`);
  return { nodeName: node.name, victims, violations: broken.length };
}

/** Priority, then who has run longer. Source: kubernetes pkg/scheduler/util (MoreImportantPod). */
export const byImportance = (a: PodInfo, b: PodInfo): number => b.priority - a.priority || startOf(a) - startOf(b) || 0;

/** Pods that haven't started count as starting now. */
function startOf({ pod }: PodInfo): number {
  return pod.status?.startTime ? Date.parse(pod.status.startTime) : Number.MAX_SAFE_INTEGER;
}

/** Later criteria decide between those that are equal by all before them; less is better. Source: kubernetes framework/preemption (pickOneNodeForPreemption). */
const criteria: readonly ((candidate: Candidate) => number)[] = [
  ({ violations }) => violations,
  ({ victims }) => victims[0]!.priority,
  // Raised above 0, or a few pods of negative priority would seem worse than many.
  ({ victims }) => victims.reduce((sum, { priority }) => sum + priority + 2 ** 31, 0),
  ({ victims }) => victims.length,
  // The latest start among the most important victims of each.
  ({ victims }) => -Math.min(...victims.filter(({ priority }) => priority === victims[0]!.priority).map(startOf)),
];

export function pickCandidate(candidates: readonly Candidate[]): Candidate | undefined {
  let left = candidates;
  for (const badness of criteria) {
    if (left.length <= 1) break;
    const least = left.reduce((min, candidate) => Math.min(min, badness(candidate)), Infinity);
    left = left.filter((candidate) => badness(candidate) === least);
  }
  return left[0];
}
