import type { Frozen } from "../../apimachinery/meta.ts";
import { pods as podCard } from "../../apis/builtins.ts";
import type { StatefulSet, StatefulSetStatus } from "../../apis/generated/apps/v1.ts";
import type { PersistentVolumeClaim, Pod, PodTemplateSpec } from "../../apis/generated/core/v1.ts";
import { isPodAvailable, isPodReady, isPodTerminal } from "../pod-status.ts";
import { claimName, claimTemplates, corrected, isInRange, newClaim, newPod, ordinalOf, revisionOf, startOf, wanted } from "./identity.ts";
import { deletesScaled, hasOtherController, isStale, retained, withOwners } from "./retention.ts";
import { completed, statusOf } from "./status.ts";

/** Source: stateful_set_control.go of Kubernetes' StatefulSet controller. */

/** The set as it was and as it is to be, each by the name of its revision. */
export interface Revisions {
  current: { name: string; template: Frozen<PodTemplateSpec> };
  update: { name: string; template: Frozen<PodTemplateSpec> };
}

/** What is to be done for one pod: first its claims, then the pod itself. */
export interface Step {
  pod: Frozen<Pod>;
  act: "create" | "update" | "delete" | "claims";
  /** Claims to make. */
  create?: PersistentVolumeClaim[];
  /** Claims whose owners change. */
  retain?: PersistentVolumeClaim[];
  /** Claims that are about to go: the pod must wait for their successors. */
  leaving?: string[];
  /** Claims that somebody else manages. */
  conflicting?: string[];
  /** The pod as it is to be, where it isn't. */
  corrected?: Pod;
}

export interface StatefulSetPlan {
  /** In order; within a phase the steps concern different pods. A step that fails ends all. */
  phases: Step[][];
  /** Whether the steps of a phase may be taken together. */
  parallel: boolean;
  status: StatefulSetStatus;
}

export interface StatefulSetView {
  set: Frozen<StatefulSet>;
  pods: readonly Frozen<Pod>[];
  /** The claim of that name, in the set's namespace. */
  claim(name: string): Frozen<PersistentVolumeClaim> | undefined;
  revisions: Revisions;
  now: number;
}

/** Decides what to do next. OrderedReady looks no further than the first pod that isn't as it should be; Parallel looks at all. */
export function planStatefulSet(view: StatefulSetView): StatefulSetPlan {
  const { set, pods, revisions, now } = view;
  const status = statusOf(set, pods, revisions, now);
  const ordered = set.spec?.podManagementPolicy !== "Parallel";
  const plan: StatefulSetPlan = { phases: [], parallel: !ordered, status };
  if (set.metadata.deletionTimestamp) return { ...plan, status: completed(set, status) };
  const members = membersOf(view);
  const go = <T>(targets: readonly T[], look: (target: T) => Look): boolean => {
    const steps: Step[] = [];
    plan.phases.push(steps);
    for (const target of targets) {
      const { step, wait } = look(target);
      if (step) steps.push(step);
      if (wait && ordered) return false;
    }
    return true;
  };
  const through = go(members.places, ({ pod, ordinal }) => (pod ? lookAtReplica(view, pod, ordered) : lookAtGap(view, ordinal)))
    && go(members.condemned, (pod) => ({ step: claimStep(view, pod, "claims") }))
    && go(members.condemned, (pod) => lookAtCondemned(view, pod, ordered, members.firstUnavailable));
  if (through && set.spec?.updateStrategy?.type !== "OnDelete") {
    const outdated = nextOutdated(view, members.places);
    if (outdated) {
      plan.phases.push([{ pod: outdated, act: "delete" }]);
      if (revisionOf(outdated) === revisions.current.name) status.currentReplicas!--;
    }
  }
  return { ...plan, phases: plan.phases.filter((steps) => steps.length > 0), status: completed(set, status) };
}

interface Look {
  step?: Step;
  /** Whether an ordered set goes no further before something happens. */
  wait?: boolean;
}

/** Where a pod of the set belongs, and the pod that is there. */
interface Place {
  ordinal: number;
  pod?: Frozen<Pod>;
}

interface Members {
  /** By ordinal. */
  places: Place[];
  /** Beyond the set's size, highest ordinal first. */
  condemned: Frozen<Pod>[];
  /** A gap in the places comes before any that is condemned, too. */
  firstUnavailable: Frozen<Pod> | undefined;
}

function membersOf(view: StatefulSetView): Members {
  const { set, pods } = view;
  const byOrdinal = new Map(pods.filter((pod) => isInRange(set, pod)).map((pod) => [ordinalOf(pod), pod]));
  const places = Array.from({ length: wanted(set) }, (_, index): Place => {
    const ordinal = startOf(set) + index, pod = byOrdinal.get(ordinal);
    return { ordinal, ...(pod ? { pod } : {}) };
  });
  const condemned = pods.filter((pod) => ordinalOf(pod) >= 0 && !isInRange(set, pod)).toSorted((a, b) => ordinalOf(b) - ordinalOf(a));
  const first = places.find(({ pod }) => !pod || isUnavailable(view, pod)) ?? { pod: condemned.findLast((pod) => isUnavailable(view, pod)) };
  return { places, condemned, firstUnavailable: first.pod };
}

/** Below the partition a pod comes back as it was. */
function missing({ set, revisions }: StatefulSetView, ordinal: number): Pod {
  const strategy = set.spec?.updateStrategy;
  const kept = strategy?.rollingUpdate ? strategy.rollingUpdate.partition ?? 0 : strategy?.type === "RollingUpdate" ? set.status?.currentReplicas ?? 0 : 0;
  const { name, template } = ordinal < startOf(set) + kept ? revisions.current : revisions.update;
  return newPod(set, template, name, ordinal);
}

const isRunningAndReady = (pod: Frozen<Pod>): boolean => pod.status?.phase === "Running" && isPodReady(pod);
const isAvailable = ({ set, now }: StatefulSetView, pod: Frozen<Pod>): boolean => isPodAvailable(pod, set.spec?.minReadySeconds ?? 0, now);
const isUnavailable = (view: StatefulSetView, pod: Frozen<Pod>): boolean => !isAvailable(view, pod) || !!pod.metadata.deletionTimestamp;

function lookAtReplica(view: StatefulSetView, pod: Frozen<Pod>, ordered: boolean): Look {
  // Whatever the exit code: an evicted pod, or one whose node was restarted, may have succeeded.
  if (isPodTerminal(pod)) return { ...(pod.metadata.deletionTimestamp ? {} : { step: { pod, act: "delete" } }), wait: true };
  const pending = pod.status?.phase === "Pending";
  if (ordered && (pod.metadata.deletionTimestamp || !isRunningAndReady(pod) || !isAvailable(view, pod))) {
    return { ...(pending ? { step: claimStep(view, pod, "claims") } : {}), wait: true };
  }
  const right = corrected(view.set, pod);
  const claims = claimStep(view, pod, "update", pending || right !== undefined);
  if (right) return { step: { ...claims, pod, act: "update", corrected: right } };
  return claims ? { step: pending ? { ...claims, act: "claims" } : claims } : {};
}

function lookAtGap(view: StatefulSetView, ordinal: number): Look {
  const pod = missing(view, ordinal);
  return isBlockedByClaim(view, pod) ? { wait: true } : { step: { ...claimStep(view, pod, "create", true), pod, act: "create" }, wait: true };
}

/** A claim that still belongs to the pod that had this name before, and goes with it. */
const isBlockedByClaim = ({ set, claim }: StatefulSetView, pod: Frozen<Pod>): boolean =>
  deletesScaled(set) && claimTemplates(set).some((template) => {
    const present = claim(claimName(template, set, ordinalOf(pod)));
    return present !== undefined && isStale(present, podCard, pod);
  });

/** What is to be done about a pod's claims; undefined when nothing. Missing ones are made only where asked. */
function claimStep({ set, claim }: StatefulSetView, pod: Frozen<Pod>, act: Step["act"], make = act === "claims" && isInRange(set, pod)): Step | undefined {
  const create: PersistentVolumeClaim[] = [], retain: PersistentVolumeClaim[] = [], leaving: string[] = [], conflicting: string[] = [];
  for (const template of claimTemplates(set)) {
    const ordinal = ordinalOf(pod), name = claimName(template, set, ordinal), present = claim(name);
    if (!present) {
      if (make) create.push(withOwners(newClaim(template, set, ordinal), set, pod));
      continue;
    }
    if (make && present.metadata.deletionTimestamp) leaving.push(name);
    if (hasOtherController(present, set, pod)) conflicting.push(name);
    const kept = retained(present, set, pod);
    if (kept) retain.push(kept);
  }
  const found = create.length + retain.length + leaving.length + (act === "create" ? conflicting.length : 0);
  if (found === 0) return undefined;
  return { pod, act, ...some({ create, retain, leaving, conflicting }) };
}

const some = <T extends Record<string, unknown[]>>(lists: T): Partial<T> => Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0)) as Partial<T>;

function lookAtCondemned(view: StatefulSetView, pod: Frozen<Pod>, ordered: boolean, firstUnavailable: Frozen<Pod> | undefined): Look {
  if (pod.metadata.deletionTimestamp) return { wait: true };
  // While another pod is not well, none is taken away: a quorum might hang on it.
  if (ordered && pod !== firstUnavailable && (!isRunningAndReady(pod) || !isAvailable(view, pod))) return { wait: true };
  return { step: { pod, act: "delete" }, wait: true };
}

/** From the highest ordinal down: the first pod of another revision, unless one above it is not available yet. */
function nextOutdated(view: StatefulSetView, places: readonly Place[]): Frozen<Pod> | undefined {
  const { set, revisions } = view;
  for (const { pod } of places.slice(set.spec?.updateStrategy?.rollingUpdate?.partition ?? 0).toReversed()) {
    if (!pod) return undefined;
    if (revisionOf(pod) !== revisions.update.name && !pod.metadata.deletionTimestamp) return pod;
    if (isUnavailable(view, pod)) return undefined;
  }
  return undefined;
}
