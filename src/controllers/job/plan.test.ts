import { describe, expect, test } from "bun:test";
import type { Job, JobSpec, JobStatus, PodFailurePolicyRule } from "../../apis/generated/batch/v1.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { closeAccounts, openAccounts } from "./accounting.ts";
import { assess } from "./assessment.ts";
import { noFailures, recordEnds, remainingBackoff, type Times } from "./backoff.ts";
import { parseIndexes } from "./index-set.ts";
import { newPod } from "./new-pod.ts";
import { outcomeAfter, planPods } from "./plan.ts";
import { judgeFailure } from "./pod-failure-policy.ts";
import { metSuccessRule } from "./success-policy.ts";

const now = Date.parse("2026-01-01T12:00:00Z");
const times: Times = { now, monotonic: 5_000_000 };
const ago = (seconds: number): string => `${new Date(now - seconds * 1000).toISOString().slice(0, 19)}Z`;

const job = (spec: Partial<JobSpec> = {}, status: JobStatus = {}, metadata: Partial<Job["metadata"]> = {}): Job => ({
  apiVersion: "batch/v1", kind: "Job", metadata: { name: "j", namespace: "ns", uid: "j-1", ...metadata },
  spec: { parallelism: 2, completions: 4, backoffLimit: 6, template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "v1" }] } }, ...spec },
  status: { startTime: ago(60), ...status },
});
const indexed = (spec: Partial<JobSpec> = {}, status: JobStatus = {}): Job => job({ completionMode: "Indexed", ...spec }, status);

interface PodFacts {
  phase?: NonNullable<Pod["status"]>["phase"];
  index?: number | string;
  tracked?: boolean;
  deleted?: boolean;
  exitCode?: number;
  ended?: number;
  failures?: number;
  restarts?: number;
  ready?: boolean;
}
const pod = (name: string, { phase = "Running", index, tracked = true, deleted, exitCode, ended = 5, failures, restarts = 0, ready }: PodFacts = {}): Pod => ({
  metadata: {
    name, namespace: "ns", uid: name, creationTimestamp: ago(30), ...(tracked ? { finalizers: ["batch.kubernetes.io/job-tracking"] } : {}), ...(deleted ? { deletionTimestamp: ago(ended) } : {}),
    annotations: { ...(index === undefined ? {} : { "batch.kubernetes.io/job-completion-index": String(index) }), ...(failures === undefined ? {} : { "batch.kubernetes.io/job-index-failure-count": String(failures) }) },
  },
  spec: { nodeName: "n", containers: [{ name: "c", image: "v1" }] },
  status: {
    phase, conditions: ready ? [{ type: "Ready", status: "True" }] : [],
    containerStatuses: [{ name: "c", image: "v1", imageID: "", ready: false, restartCount: restarts, state: phase === "Running" || phase === "Pending" ? {} : { terminated: { exitCode: exitCode ?? (phase === "Failed" ? 1 : 0), finishedAt: ago(ended) } } }],
  },
});
const failed = (name: string, facts: PodFacts = {}): Pod => pod(name, { phase: "Failed", ...facts });
const succeeded = (name: string, facts: PodFacts = {}): Pod => pod(name, { phase: "Succeeded", ...facts });

describe("the pods of a job", () => {
  type Expected = { create?: (number | undefined)[]; delete?: string[]; discard?: boolean; retryAfter?: number };
  const some = (count: number): undefined[] => Array.from({ length: count }, () => undefined);
  test.each<[string, Job, Pod[], Expected]>([
    ["are as many as run at once", job(), [], { create: some(2) }],
    ["are no more than what is missing", job({}, { succeeded: 3 }), [], { create: some(1) }],
    ["go when there are too many, the least far first", job({ parallelism: 1 }), [pod("a"), pod("b", { phase: "Pending" }), pod("c", { ready: true })], { delete: ["b", "a"], discard: true }],
    ["go when they can't be counted", job(), [pod("a"), pod("lost", { tracked: false })], { delete: ["lost"], discard: true }],
    ["go while it is suspended", job({ suspend: true }), [pod("a")], { delete: ["a"], discard: true }],
    ["are left alone while it is deleted", job({}, {}, { deletionTimestamp: ago(1) }), [pod("a")], {}],
    ["of a work queue are replaced", { ...job(), spec: { ...job().spec, completions: undefined! } }, [pod("a")], { create: some(1) }],
    ["of a work queue end with the first success", { ...job(), spec: { ...job().spec, completions: undefined! } }, [pod("a"), succeeded("b")], {}],
    ["come later after a failure", job(), [pod("a"), failed("b")], { retryAfter: 5000 }],
    ["come at once when one that is deleted counts as failed long ago", job(), [pod("a"), pod("b", { deleted: true, ended: 20 })], { create: some(1) }],
    ["are waited for where only failed ones are replaced", job({ podReplacementPolicy: "Failed" }), [pod("a"), pod("b", { deleted: true })], {}],
    ["go when it has failed, to be counted", job({ backoffLimit: 0 }), [pod("a"), failed("b")], { delete: ["a"] }],
    ["are no more than can be made in one go", job({ parallelism: 800, completions: 900 }), [], { create: some(500) }],
    ["have the first indexes that are free", indexed({ parallelism: 3 }, { completedIndexes: "0" }), [pod("a", { index: 2 })], { create: [1, 3] }],
    ["of an index that two have, or none, go", indexed({ parallelism: 4 }), [pod("a", { index: 0 }), pod("b", { index: 0, ready: true }), pod("c"), pod("d", { index: 9 })], { delete: ["c", "d", "a"], discard: true }],
    ["of an index wait for its own back-off", indexed({ parallelism: 4, backoffLimitPerIndex: 3 }), [failed("a", { index: 0, failures: 0 }), failed("b", { index: 1, failures: 1 }), pod("c", { index: 2 })], { create: [3], retryAfter: 5000 }],
    ["of an index that has failed for good stay away", indexed({ parallelism: 4, backoffLimitPerIndex: 0 }), [failed("a", { index: 0 })], { create: [1, 2, 3] }],
    ["of an index that goes stay away where only failed ones are replaced", indexed({ parallelism: 2, completions: 3, podReplacementPolicy: "Failed" }), [pod("a", { index: 0, deleted: true })], { create: [1] }],
  ])("%s", (_, object, pods, expected) => {
    const plan = planPods(object, pods, assess(object, pods, undefined, times), times.monotonic);
    const found = { ...plan, delete: plan.delete.map(({ metadata }) => metadata.name!) };
    expect({ retryAfter: undefined, ...found, delete: found.delete.toSorted() } as never).toEqual({ create: [], discard: false, retryAfter: undefined, ...expected, delete: (expected.delete ?? []).toSorted() } as never);
  });
});

describe("a job ends", () => {
  const rules: PodFailurePolicyRule[] = [{ action: "FailJob", onExitCodes: { operator: "In", values: [3] } }];
  test.each<[string, Job, Pod[], string | undefined]>([
    ["not while pods run", job(), [pod("a")], undefined],
    ["with as many successes as it asks for", job({ completions: 2 }, { succeeded: 1 }), [succeeded("a")], "SuccessCriteriaMet CompletionsReached"],
    ["with none to ask for", job({ completions: 0 }), [], "SuccessCriteriaMet CompletionsReached"],
    ["by too many failures", job({ backoffLimit: 1 }, { failed: 1 }), [failed("a")], "FailureTarget BackoffLimitExceeded"],
    ["not by failures that are counted already", job({ backoffLimit: 1 }, { failed: 1 }), [failed("a", { tracked: false })], undefined],
    ["not twice by one that is being counted", job({ backoffLimit: 1 }, { uncountedTerminatedPods: { failed: ["a"] } }), [failed("a")], undefined],
    ["by too many restarts", job({ backoffLimit: 2, template: { spec: { restartPolicy: "OnFailure", containers: [] } } }), [pod("a", { restarts: 2 })], "FailureTarget BackoffLimitExceeded"],
    ["by its deadline", job({ activeDeadlineSeconds: 60 }), [pod("a")], "FailureTarget DeadlineExceeded"],
    ["not by its deadline while suspended", job({ activeDeadlineSeconds: 60, suspend: true }), [], undefined],
    ["by a policy, before all else", job({ backoffLimit: 0, podFailurePolicy: { rules } }), [failed("a", { exitCode: 3 })], "FailureTarget PodFailurePolicy"],
    ["as it was decided", job({ backoffLimit: 0 }, { conditions: [{ type: "SuccessCriteriaMet", status: "True", reason: "SuccessPolicy", message: "" }] }), [failed("a")], "SuccessCriteriaMet SuccessPolicy"],
    ["when all indexes have ended and one has failed", indexed({ completions: 2, backoffLimitPerIndex: 0 }), [succeeded("a", { index: 0 }), failed("b", { index: 1 })], "FailureTarget FailedIndexes"],
    ["not while an index may still succeed", indexed({ completions: 2, backoffLimitPerIndex: 0 }), [pod("a", { index: 0 }), failed("b", { index: 1 })], undefined],
    ["by too many failed indexes", indexed({ backoffLimitPerIndex: 0, maxFailedIndexes: 1 }, { failedIndexes: "3" }), [failed("b", { index: 1 })], "FailureTarget MaxFailedIndexesExceeded"],
    ["by a policy for success", indexed({ successPolicy: { rules: [{ succeededCount: 1 }] } }), [succeeded("a", { index: 2 })], "SuccessCriteriaMet SuccessPolicy"],
  ])("%s", (_, object, pods, expected) => {
    const assessment = assess(object, pods, undefined, times), outcome = assessment.outcome ?? outcomeAfter(object, assessment, pods.filter(({ status }) => status?.phase === "Running").length);
    expect(outcome && `${outcome.type} ${outcome.reason}`).toBe(expected);
  });
});

test("what a failure means by the first rule that matches", () => {
  const verdict = (rules: PodFailurePolicyRule[], one: Pod): unknown => judgeFailure(job({ podFailurePolicy: { rules } }).spec, one);
  const onExit = (action: PodFailurePolicyRule["action"], operator: "In" | "NotIn", values: number[], containerName?: string): PodFailurePolicyRule => ({ action, onExitCodes: { operator, values, ...(containerName ? { containerName } : {}) } });
  expect(verdict([onExit("Ignore", "In", [1])], failed("a"))).toEqual({ action: "Ignore" });
  expect(verdict([onExit("Ignore", "In", [2])], failed("a"))).toEqual({ action: "Count" });
  expect(verdict([onExit("Ignore", "In", [1], "other"), onExit("FailIndex", "NotIn", [2])], failed("a"))).toEqual({ action: "FailIndex" });
  // A container that ended well has no exit code to match.
  expect(verdict([onExit("FailJob", "NotIn", [1])], failed("a", { exitCode: 0 }))).toEqual({ action: "Count" });
  expect(verdict([onExit("FailJob", "In", [1])], failed("a"))).toEqual({ action: "FailJob", message: "Container c for pod ns/a failed with exit code 1 matching FailJob rule at index 0" });
  const evicted = failed("a");
  evicted.status!.conditions = [{ type: "DisruptionTarget", status: "True" }];
  expect(verdict([onExit("Ignore", "In", [9]), { action: "FailJob", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] }], evicted)).toEqual({ action: "FailJob", message: "Pod ns/a has condition DisruptionTarget matching FailJob rule at index 1" });
});

test.each<[string, number | undefined]>([["0", undefined], ["1-2", 0], ["0,3-4", 1], ["0-4", 0]])("succeeded indexes %s meet rule %p", (indexes, expected) => {
  const rules = [{ succeededIndexes: "1-2" }, { succeededIndexes: "3-5", succeededCount: 2 }];
  expect(metSuccessRule({ ...indexed().spec, completions: 6, successPolicy: { rules } }, parseIndexes(indexes, 6))).toBe(expected);
});

describe("the back-off", () => {
  const { monotonic } = times;
  test("doubles up to ten minutes", () => {
    expect([0, 1, 2, 3, 6, 7, 50].map((inARow) => remainingBackoff({ inARow, last: monotonic }, monotonic) / 1000)).toEqual([0, 10, 20, 40, 320, 600, 600]);
    expect(remainingBackoff({ inARow: 1, last: monotonic - 4000 }, monotonic)).toBe(6000);
  });

  test("counts failures since the last success", () => {
    const twice = recordEnds(noFailures, [], [failed("a"), failed("b", { ended: 2 })], times);
    expect(twice).toEqual({ inARow: 2, last: monotonic - 2000 });
    expect(recordEnds(twice, [], [], times)).toEqual(twice);
    expect(recordEnds(twice, [succeeded("c", { ended: 3 })], [failed("d", { ended: 1 }), failed("e", { ended: 4 })], times)).toEqual({ inARow: 1, last: monotonic - 1000 });
    expect(recordEnds(twice, [succeeded("c")], [], times)).toEqual(noFailures);
  });

  test("of a pod that seems to end in the future begins now", () => {
    expect(recordEnds(noFailures, [], [failed("a", { ended: -3600 })], times)).toEqual({ inARow: 1, last: monotonic });
  });

  test("is made up from pods that were counted before this process began", () => {
    expect(assess(job(), [failed("a", { tracked: false, ended: 7 }), succeeded("b", { tracked: false, ended: 9 }), failed("c", { tracked: false, ended: 20 })], undefined, times).memory.failures).toEqual({ inARow: 1, last: monotonic - 7000 });
  });
});

test.each([-3_600_000, 3_600_000])("a clock that is set by %p ms changes neither back-off nor deadline", (set) => {
  const object = indexed({ backoffLimitPerIndex: 3, activeDeadlineSeconds: 100 }), pods = [failed("a", { index: 0 })];
  const before = assess(object, pods, undefined, times), after = assess(object, pods, before.memory, { now: now + set + 1000, monotonic: times.monotonic + 1000 });
  expect({ deadlineAt: after.deadlineAt, outcome: after.outcome, memory: after.memory }).toEqual({ deadlineAt: times.monotonic + 40_000, outcome: undefined, memory: before.memory });
});

describe("accounts", () => {
  const open = (object: Job, pods: Pod[]): ReturnType<typeof openAccounts> => {
    const assessment = assess(object, pods, undefined, times);
    return openAccounts(object, pods, pods, assessment, outcomeAfter(object, assessment, pods.filter(({ status, metadata }) => status?.phase === "Running" && !metadata.deletionTimestamp).length), now);
  };
  test("name who has ended before letting go of them", () => {
    const { status, release } = open(job(), [pod("a", { ready: true }), succeeded("b"), failed("c"), pod("d", { deleted: true }), succeeded("e", { tracked: false })]);
    expect(status).toEqual({ startTime: ago(60), active: 1, ready: 1, terminating: 1, uncountedTerminatedPods: { succeeded: ["b"], failed: ["c", "d"] } });
    expect(release.map(({ metadata }) => metadata.name!)).toEqual(["b", "c", "d"]);
    const closed = closeAccounts(status, [pod("a", { ready: true }), failed("c")], undefined, now);
    expect(closed).toEqual({ startTime: ago(60), active: 1, ready: 1, terminating: 0, succeeded: 1, failed: 1, uncountedTerminatedPods: { failed: ["c"] } });
  });

  test("take no more names than fit", () => {
    const { status, release, partial } = open(job({ completions: 900 }), Array.from({ length: 700 }, (_, index) => succeeded(`p${index}`)));
    expect([status.uncountedTerminatedPods!.succeeded!.length, release.length, partial]).toEqual([500, 500, true]);
  });

  test("of indexes need no names", () => {
    const { status, release } = open(indexed({ backoffLimitPerIndex: 1 }), [succeeded("a", { index: 2 }), succeeded("b", { index: 1 }), failed("c", { index: 0, failures: 0 }), succeeded("d", { index: 7 }), failed("e", { index: 3, failures: 1 })]);
    expect(status).toMatchObject({ succeeded: 2, completedIndexes: "1,2", failedIndexes: "3", uncountedTerminatedPods: { failed: ["e"] } });
    // The failed pod of index 0 stays until there is another that goes on with its count.
    expect(release.map(({ metadata }) => metadata.name!).toSorted()).toEqual(["a", "b", "d", "e"]);
  });

  test("close with the job's end once nothing is left", () => {
    const finishing = { type: "SuccessCriteriaMet" as const, reason: "CompletionsReached", message: "Reached expected number of succeeded pods" };
    expect(closeAccounts({ uncountedTerminatedPods: { succeeded: ["a"] } }, [succeeded("a", { tracked: false })], finishing, now)).toEqual({
      succeeded: 1, ready: 0, terminating: 0, uncountedTerminatedPods: {}, completionTime: ago(0),
      conditions: [{ type: "Complete", status: "True", lastProbeTime: ago(0), lastTransitionTime: ago(0), reason: finishing.reason, message: finishing.message }],
    });
    expect(closeAccounts({}, [pod("a", { deleted: true })], finishing, now).conditions).toBeUndefined();
  });

  test("of indexes shrink with the job", () => {
    expect(open(indexed({ completions: 2, parallelism: 2 }, { completedIndexes: "0,2-3", succeeded: 3 }), []).status).toMatchObject({ completedIndexes: "0", succeeded: 1 });
  });
});

test("a new pod of an index", () => {
  const object = indexed({ backoffLimitPerIndex: 2 });
  object.metadata.name = "a-very-long-name-of-a-job-that-leaves-too-little-room-for-it-all";
  const made = newPod(object, 12, failed("old", { index: 12, failures: 1 }));
  expect(made.metadata).toMatchObject({
    generateName: "a-very-long-name-of-a-job-that-leaves-too-little-room--12-", finalizers: ["batch.kubernetes.io/job-tracking"],
    labels: { "batch.kubernetes.io/job-completion-index": "12" }, annotations: { "batch.kubernetes.io/job-completion-index": "12", "batch.kubernetes.io/job-index-failure-count": "2" },
  });
  expect(newPod(job(), undefined).metadata.generateName).toBe("j-");
});
