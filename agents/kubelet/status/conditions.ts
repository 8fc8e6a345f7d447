import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { ContainerStatus, PodCondition, PodStatus } from "../../../src/apis/generated/core/v1.ts";
import { initContainers, isSidecar, type Pod } from "../pod/pod.ts";
import { time } from "./container-status.ts";

export interface ConditionFacts {
  phase: PodStatus["phase"];
  initStatuses: readonly ContainerStatus[];
  statuses: readonly ContainerStatus[];
  /** The sandbox is up and has its address. */
  sandboxReady: boolean;
  /** As `knownConditions` gives them. */
  known: readonly Frozen<PodCondition>[];
  /** How the kubelet disrupted the pod, in a sentence. */
  disruption?: string | undefined;
  /** Whether all containers are being started again; undefined where no rule does that. */
  restarting?: boolean | undefined;
  /** Those of a resize that hold. */
  resize?: readonly PodCondition[];
  now: number;
}

type Verdict = Pick<PodCondition, "status" | "reason" | "message">;

const disruptionTarget = "DisruptionTarget";
const terminationByKubelet = "TerminationByKubelet";
export const restartingCondition = "AllContainersRestarting";
const resizeTypes = ["PodResizePending", "PodResizeInProgress"] as const;
const ownTypes: readonly string[] = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled", restartingCondition, ...resizeTypes];

/** Whether the kubelet answers for conditions of this type. */
export const isOwnCondition = ({ type }: { readonly type: string }): boolean => ownTypes.includes(type);

/** Whether the kubelet has said this: of a disruption, others may have spoken. */
export const isToldByKubelet = (condition: PodCondition): boolean => isOwnCondition(condition) || (condition.type === disruptionTarget && condition.reason === terminationByKubelet);

/** What is known of the conditions: the kubelet's own as it last told them, others' as the API has them. */
export const knownConditions = (api: readonly Frozen<PodCondition>[] = [], told: readonly Frozen<PodCondition>[] = api): Frozen<PodCondition>[] =>
  [...told.filter(isOwnCondition), ...api.filter((condition) => !isOwnCondition(condition))];

/** The conditions the kubelet answers for; others' (readiness gates, the scheduler's) are taken over as they are. */
export function podConditions(pod: Pod, facts: ConditionFacts): PodCondition[] {
  const old = new Map(facts.known.map((condition) => [condition.type, condition]));
  const ready = containersReady(pod, facts);
  const verdicts: [string, Verdict][] = [
    ["PodReadyToStartContainers", { status: facts.sandboxReady ? "True" : "False" }],
    ["Initialized", initialized(pod, facts)],
    ["Ready", withReadinessGates(pod, ready, old)],
    ["ContainersReady", ready],
    ["PodScheduled", { status: "True" }],
  ];
  if (facts.restarting !== undefined) verdicts.push([restartingCondition, restarting(facts)]);
  if (facts.disruption) verdicts.push([disruptionTarget, { status: "True", reason: terminationByKubelet, message: facts.disruption }]);
  const own = verdicts.map(([type, verdict]) => condition(pod, type, verdict, old.get(type), facts.now));
  const said = new Set<string>([...verdicts.map(([type]) => type), ...resizeTypes]);
  return [...own, ...(facts.resize ?? []), ...[...old.values()].filter(({ type }) => !said.has(type)).map((condition) => structuredClone(condition) as PodCondition)];
}

function condition(pod: Pod, type: string, verdict: Verdict, old: Frozen<PodCondition> | undefined, now: number): PodCondition {
  const result: PodCondition = { type, status: verdict.status, lastProbeTime: null, lastTransitionTime: old?.status === verdict.status && old.lastTransitionTime ? old.lastTransitionTime : time(now) };
  if (pod.metadata.generation !== undefined) result.observedGeneration = pod.metadata.generation;
  if (verdict.reason) result.reason = verdict.reason;
  if (verdict.message) result.message = verdict.message;
  return result;
}

const completed = (facts: ConditionFacts, status: string): Verdict | undefined => {
  if (facts.phase === "Succeeded") return { status, reason: "PodCompleted" };
  return facts.phase === "Failed" ? { status, reason: "PodFailed" } : undefined;
};

function restarting(facts: ConditionFacts): Verdict {
  return completed(facts, "False") ?? (facts.restarting ? { status: "True", reason: "RestartAllContainersStarted", message: "container exited with restart policy rule" } : { status: "False" });
}

function initialized(pod: Pod, facts: ConditionFacts): Verdict {
  const started = facts.statuses.some((status) => status.state?.running ?? status.state?.terminated ?? status.lastState?.terminated);
  const incomplete = initContainers(pod).filter((container, index) => !(isSidecar(container) ? facts.initStatuses[index]?.started : facts.initStatuses[index]?.ready)).map(({ name }) => name);
  if (incomplete.length === 0 || started) return facts.phase === "Succeeded" ? { status: "True", reason: "PodCompleted" } : { status: "True" };
  // A pod whose containers are all started again has been initialized before, and stays that.
  if (facts.known.some(({ type, status }) => type === "Initialized" && status === "True")) return { status: "True" };
  return { status: "False", reason: "ContainersNotInitialized", message: `containers with incomplete status: [${incomplete.join(" ")}]` };
}

function containersReady(pod: Pod, facts: ConditionFacts): Verdict {
  const done = completed(facts, "False");
  if (done) return done;
  const sidecars = facts.initStatuses.filter((_, index) => isSidecar(initContainers(pod)[index]!));
  const unready = [...sidecars, ...facts.statuses].filter((status) => !status.ready).map(({ name }) => name);
  if (unready.length === 0) return { status: "True" };
  return { status: "False", reason: "ContainersNotReady", message: `containers with unready status: [${unready.join(" ")}]` };
}

function withReadinessGates(pod: Pod, ready: Verdict, conditions: ReadonlyMap<string, Frozen<PodCondition>>): Verdict {
  if (ready.status !== "True") return ready;
  const problems = (pod.spec.readinessGates ?? []).flatMap(({ conditionType }) => {
    const found = conditions.get(conditionType);
    if (!found) return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
    return found.status === "True" ? [] : [`the status of pod readiness gate "${conditionType}" is not "True", but ${found.status}`];
  });
  return problems.length === 0 ? ready : { status: "False", reason: "ReadinessGatesNotReady", message: problems.join(", ") };
}
