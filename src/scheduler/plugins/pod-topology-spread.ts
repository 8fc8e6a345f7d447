import { matchesLabels } from "../../apimachinery/selectors/labels.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { podTopologySpreadArgs, type PodTopologySpreadArgs } from "../configuration/plugin-args.ts";
import { definePlugin, unresolvable, unschedulable, type AnyPlugin, type Handle, type PreFilterResult } from "../framework.ts";
import type { NodeInfo } from "../node-info.ts";
import { ownerSelector } from "../owner-selector.ts";
import type { PodInfo } from "../pod-info.ts";
import type { Snapshot } from "../snapshot.ts";
import { countMatching, hasAllKeys, parseConstraints, placesFor, systemConstraints, type SpreadConstraint, type When } from "../spread-constraints.ts";
import { spreadEvents } from "./pod-topology-spread-hints.ts";
import { normalizeSpread, prepareSoft, spreadScore, type SoftState } from "./pod-topology-spread-score.ts";

interface Hard {
  readonly constraint: SpreadConstraint;
  /** Matching pods by value of the topology key. */
  readonly counts: Map<string, number>;
  /** The least of them; 0 while there are fewer places than minDomains. Undefined: to be worked out again. */
  least: number | undefined;
  /** 1 when the pod itself will count. */
  readonly self: number;
}

interface HardState {
  readonly hard: readonly Hard[];
  readonly constraints: readonly SpreadConstraint[];
  readonly isPlace: ReturnType<typeof placesFor>;
}

const skewed = unschedulable("node(s) didn't match pod topology spread constraints");
const unlabelled = unresolvable("node(s) didn't match pod topology spread constraints (missing required label)");

/** Spreads pods over hosts, zones and the like. Source: kubernetes plugins/podtopologyspread. */
export function podTopologySpread({ defaultConstraints, defaultingType }: PodTopologySpreadArgs = podTopologySpreadArgs(), handle: Pick<Handle, "lister">): AnyPlugin {
  const system = defaultingType === "System";
  const defaults = system ? systemConstraints : defaultConstraints;
  const selectorOf = ownerSelector(handle);
  const constraintsOf = (pod: Frozen<Pod>, when: When): SpreadConstraint[] => {
    if (pod.spec.topologySpreadConstraints?.length) return parseConstraints(pod.spec.topologySpreadConstraints, when, pod);
    if (!defaults.some(({ whenUnsatisfiable }) => whenUnsatisfiable === when)) return [];
    const selector = selectorOf(pod);
    return selector.length === 0 ? [] : parseConstraints(defaults, when, pod, selector);
  };
  return definePlugin<HardState, SoftState>({
    name: "PodTopologySpread",
    events: () => spreadEvents((pod) => constraintsOf(pod, "DoNotSchedule")),
    preFilter: (pod, snapshot) => prepareHard(pod, constraintsOf(pod.pod, "DoNotSchedule"), snapshot),
    preFilterExtensions: {
      clone: (state) => ({ ...state, hard: state.hard.map((one) => ({ ...one, counts: new Map(one.counts) })) }),
      addPod: (pod, added, node, state) => count(pod, added, node, state, 1),
      removePod: (pod, removed, node, state) => count(pod, removed, node, state, -1),
    },
    filter(_, { labels }, { hard }) {
      for (const one of hard) {
        const value = labels[one.constraint.topologyKey];
        if (value === undefined) return unlabelled;
        if ((one.counts.get(value) ?? 0) + one.self - (one.least ??= leastOf(one)) > one.constraint.maxSkew) return skewed;
      }
      return undefined;
    },
    preScore(pod, nodes, snapshot) {
      const constraints = constraintsOf(pod.pod, "ScheduleAnyway");
      // The system's constraints are for clusters without zones too.
      const needsAllKeys = !system || Boolean(pod.pod.spec.topologySpreadConstraints?.length);
      return constraints.length === 0 ? { skip: true } : { state: prepareSoft(pod, constraints, nodes, snapshot, needsAllKeys) };
    },
    score: spreadScore,
    normalize: normalizeSpread,
  });
}

function prepareHard(pod: PodInfo, constraints: readonly SpreadConstraint[], snapshot: Snapshot): PreFilterResult<HardState> {
  if (constraints.length === 0) return { skip: true };
  const isPlace = placesFor(pod);
  const hard = constraints.map((constraint): Hard => ({ constraint, counts: new Map(), least: undefined, self: matchesLabels(constraint.selector, pod.pod.metadata.labels) ? 1 : 0 }));
  for (const node of snapshot.nodes) {
    if (!hasAllKeys(node, constraints)) continue;
    for (const { constraint, counts } of hard) {
      if (!isPlace(constraint, node)) continue;
      const value = node.labels[constraint.topologyKey]!;
      counts.set(value, (counts.get(value) ?? 0) + countMatching(node, constraint));
    }
  }
  return { state: { hard, constraints, isPlace } };
}

function leastOf({ constraint, counts }: Hard): number {
  if (counts.size < constraint.minDomains) return 0;
  let least = Infinity;
  for (const count of counts.values()) if (count < least) least = count;
  return least;
}

/** A pod comes to the node, or leaves it. One that is about to go never counted. */
function count({ namespace }: PodInfo, { pod: other, namespace: its }: PodInfo, node: NodeInfo, { hard, constraints, isPlace }: HardState, amount: 1 | -1): void {
  if (its !== namespace || other.metadata.deletionTimestamp || !hasAllKeys(node, constraints)) return;
  for (const one of hard) {
    if (!matchesLabels(one.constraint.selector, other.metadata.labels) || !isPlace(one.constraint, node)) continue;
    const value = node.labels[one.constraint.topologyKey]!;
    one.counts.set(value, (one.counts.get(value) ?? 0) + amount);
    one.least = undefined;
  }
}
