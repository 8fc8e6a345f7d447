import { describe, expect, test } from "bun:test";
import { events, jobs, pods, resourcequotas } from "../../src/apis/builtins.ts";
import type { Job, JobSpec } from "../../src/apis/generated/batch/v1.ts";
import type { Event, Pod, PodSpec, ResourceQuota } from "../../src/apis/generated/core/v1.ts";
import { thaw } from "../../src/apimachinery/meta.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { hollowCluster, type HollowCluster } from "../support/hollow-cluster.ts";
import { quiet } from "../support/quiet.ts";

const ns = "default";

/** `exit` tells how the container of each pod ends, as hollow nodes read it. */
const jobOf = (name: string, exit: string, spec: Partial<JobSpec> = {}, podSpec: Partial<PodSpec> = {}): Job => ({
  apiVersion: "batch/v1", kind: "Job", metadata: { name, namespace: ns },
  spec: { template: { metadata: { annotations: { "hollow.skiff/exit": exit } }, spec: { restartPolicy: "Never", containers: [{ name: "c", image: "busybox:1.36" }], ...podSpec } }, ...spec },
});

/** Time passes while it is waited for something: a second for each look. */
async function startCluster(): Promise<HollowCluster & { clock: FakeClock; pass(seconds: number): Promise<void>; until<T>(check: () => T): Promise<T>; job(name: string): Job; live(): Pod[]; told(): string[] }> {
  const clock = new FakeClock();
  const cluster = await hollowCluster({ clock, nodes: 2, select: ({ name }) => ["job-controller", "job-orphan-pod", "service-account-controller", "generic-garbage-collector", "node-controller"].includes(name) });
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      await clock.advance(1000);
      await quiet(cluster);
    }
  };
  const until = async <T>(check: () => T): Promise<T> => {
    for (let seconds = 0; ; seconds++) {
      try {
        return check();
      } catch (error) {
        if (seconds > 900) throw error;
      }
      await pass(1);
    }
  };
  return {
    ...cluster, clock, pass, until,
    job: (name) => cluster.list<Job>(jobs, ns).find(({ metadata }) => metadata.name === name)!,
    live: () => cluster.pods(ns).filter(({ metadata, status }) => !metadata.deletionTimestamp && status?.phase !== "Succeeded" && status?.phase !== "Failed"),
    told: () => cluster.list<Event>(events, ns).filter(({ involvedObject }) => involvedObject.kind === "Job").map(({ type, reason, message }) => `${type} ${reason}: ${message!.replace(/(pod: \S+)-\w{5}$/, "$1-x")}`).toSorted(),
  };
}

const conditionsOf = ({ status }: Job): string[] => (status?.conditions ?? []).map(({ type, status: state, reason, message }) => `${type}=${state} ${reason}: ${message}`);
const tracked = (list: readonly Pod[]): string[] => list.filter(({ metadata }) => metadata.finalizers?.length).map(({ metadata }) => metadata.name!);
const patch = (cluster: HollowCluster, name: string, spec: Partial<JobSpec>): Promise<unknown> => cluster.client.patch(jobs, { namespace: ns, name }, { type: "application/merge-patch+json", body: { spec } });
const secondsAfter = (start: Pod, pod: Pod): number => (Date.parse(pod.metadata.creationTimestamp!) - Date.parse(start.metadata.creationTimestamp!)) / 1000;
const byAge = (list: readonly Pod[]): Pod[] => list.toSorted((a, b) => Date.parse(a.metadata.creationTimestamp!) - Date.parse(b.metadata.creationTimestamp!));
const reached = "CompletionsReached: Reached expected number of succeeded pods";

test("a job runs its pods to completion and counts each once", async () => {
  await using cluster = await startCluster();
  await cluster.client.create(jobs, jobOf("work", "0 after 5s", { completions: 5, parallelism: 2 }));
  await cluster.until(() => expect(cluster.job("work").status).toMatchObject({ active: 2, ready: 2, terminating: 0, uncountedTerminatedPods: {} }));
  const { status } = await cluster.until(() => {
    expect(conditionsOf(cluster.job("work"))).toEqual([`SuccessCriteriaMet=True ${reached}`, `Complete=True ${reached}`]);
    return cluster.job("work");
  });
  expect(status).toMatchObject({ succeeded: 5, ready: 0, terminating: 0, uncountedTerminatedPods: {}, completionTime: expect.any(String) });
  expect([status!.active, status!.failed]).toEqual([undefined, undefined]);
  expect(cluster.pods(ns)).toHaveLength(5);
  expect(tracked(cluster.pods(ns))).toEqual([]);
  await cluster.until(() => expect(cluster.told()).toEqual(["Normal Completed: Job completed", ...Array.from({ length: 5 }, () => "Normal SuccessfulCreate: Created pod: work-x")]));
});

test("a work queue ends when one pod has succeeded and the others are done", async () => {
  await using cluster = await startCluster();
  await cluster.client.create(jobs, jobOf("queue", "0 after 5s", { parallelism: 3 }));
  await cluster.until(() => expect(conditionsOf(cluster.job("queue"))).toContain(`Complete=True ${reached}`));
  expect(cluster.job("queue").status?.succeeded).toBe(3);
  expect(cluster.pods(ns)).toHaveLength(3);
});

describe("failing pods", () => {
  test("are replaced ever later, until the limit", async () => {
    await using cluster = await startCluster();
    await cluster.client.create(jobs, jobOf("bad", "1", { backoffLimit: 3 }));
    const failed = "BackoffLimitExceeded: Job has reached the specified backoff limit";
    await cluster.until(() => expect(conditionsOf(cluster.job("bad"))).toEqual([`FailureTarget=True ${failed}`, `Failed=True ${failed}`]));
    expect(cluster.job("bad").status).toMatchObject({ failed: 4, ready: 0, terminating: 0 });
    const made = byAge(cluster.pods(ns)), delays = made.slice(1).map((pod, index) => secondsAfter(made[index]!, pod));
    expect(made).toHaveLength(4);
    for (const [index, least] of [10, 20, 40].entries()) {
      expect(delays[index]).toBeGreaterThanOrEqual(least);
      expect(delays[index]).toBeLessThan(least + 5);
    }
    await cluster.until(() => expect(cluster.told()).toContain(`Warning ${failed}`));
  });

  test("are replaced also when the clock is set back meanwhile", async () => {
    await using cluster = await startCluster();
    await cluster.client.create(jobs, jobOf("bad", "1", { backoffLimit: 1 }));
    await cluster.until(() => expect(cluster.job("bad").status?.failed).toBe(1));
    cluster.clock.jump(-3_600_000);
    await cluster.pass(25);
    expect(cluster.pods(ns)).toHaveLength(2);
  });

  test("restarts count as failures where containers are restarted", async () => {
    await using cluster = await startCluster();
    await cluster.client.create(jobs, jobOf("bad", "1", { backoffLimit: 2 }, { restartPolicy: "OnFailure" }));
    await cluster.until(() => expect(conditionsOf(cluster.job("bad"))[1]).toBe("Failed=True BackoffLimitExceeded: Job has reached the specified backoff limit"));
    expect(cluster.job("bad").status).toMatchObject({ failed: 1 });
    await cluster.until(() => expect(cluster.pods(ns)).toEqual([]));
  });

  test("a policy fails the job at once, and with it the other pods", async () => {
    await using cluster = await startCluster();
    await cluster.client.create(jobs, jobOf("strict", "running", { completions: 3, parallelism: 3, podFailurePolicy: { rules: [{ action: "FailJob", onExitCodes: { operator: "In", values: [42] } }] } }));
    await cluster.until(() => expect(cluster.job("strict").status?.ready).toBe(3));
    const name = cluster.live()[0]!.metadata.name!;
    cluster.hollow.exitContainer(`${ns}/${name}`, "c", 42);
    const failed = `PodFailurePolicy: Container c for pod ${ns}/${name} failed with exit code 42 matching FailJob rule at index 0`;
    await cluster.until(() => expect(conditionsOf(cluster.job("strict"))).toEqual([`FailureTarget=True ${failed}`, `Failed=True ${failed}`]));
    expect(cluster.job("strict").status).toMatchObject({ failed: 3, terminating: 0 });
    expect(cluster.pods(ns).map(({ metadata }) => metadata.name!)).toEqual([name]);
  });

  test("a policy ignores disruptions; the pods are replaced once they are gone", async () => {
    await using cluster = await startCluster();
    await cluster.client.create(jobs, jobOf("calm", "running", { backoffLimit: 0, podFailurePolicy: { rules: [{ action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] }] } }));
    await cluster.until(() => expect(cluster.job("calm").status?.ready).toBe(1));
    const [pod] = cluster.live();
    await cluster.client.createSubresource(pods, { namespace: ns, name: pod!.metadata.name! }, "eviction", { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: pod!.metadata.name, namespace: ns } });
    await cluster.until(() => {
      expect(cluster.live().map(({ metadata }) => metadata.name)).not.toContain(pod!.metadata.name);
      expect(cluster.job("calm").status).toMatchObject({ active: 1, ready: 1, terminating: 0, uncountedTerminatedPods: {} });
    });
    expect(cluster.job("calm").status?.failed).toBeUndefined();
    expect(conditionsOf(cluster.job("calm"))).toEqual([]);
  });
});

describe("an Indexed Job", () => {
  const indexed = (name: string, exit: string, spec: Partial<JobSpec> = {}): Job => jobOf(name, exit, { completionMode: "Indexed", completions: 4, parallelism: 4, ...spec });
  const podOf = (cluster: HollowCluster, index: number): Pod | undefined => cluster.pods(ns).findLast(({ metadata, status }) => metadata.annotations?.["batch.kubernetes.io/job-completion-index"] === String(index) && !metadata.deletionTimestamp && status?.phase === "Running");
  const end = (cluster: HollowCluster, index: number, code: number): void => cluster.hollow.exitContainer(`${ns}/${podOf(cluster, index)!.metadata.name!}`, "c", code);

  test("tells each pod its index and keeps book of them", async () => {
    await using cluster = await startCluster();
    await cluster.client.create(jobs, indexed("parts", "running"));
    await cluster.until(() => expect(cluster.job("parts").status?.ready).toBe(4));
    const pod = podOf(cluster, 2)!;
    expect(pod.metadata.name).toMatch(/^parts-2-\w{5}$/);
    expect(pod.metadata.labels?.["batch.kubernetes.io/job-completion-index"]).toBe("2");
    expect(pod.spec.hostname).toBe("parts-2");
    expect(pod.spec.containers[0]!.env).toEqual([{ name: "JOB_COMPLETION_INDEX", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.labels['batch.kubernetes.io/job-completion-index']" } } }]);
    for (const index of [0, 2, 3]) end(cluster, index, 0);
    await cluster.until(() => expect(cluster.job("parts").status).toMatchObject({ active: 1, succeeded: 3, completedIndexes: "0,2,3" }));
    end(cluster, 1, 0);
    await cluster.until(() => expect(conditionsOf(cluster.job("parts"))).toContain(`Complete=True ${reached}`));
    expect(cluster.job("parts").status).toMatchObject({ succeeded: 4, completedIndexes: "0-3" });
  });

  test("limits failures of each index: others go on", async () => {
    await using cluster = await startCluster();
    await cluster.client.create(jobs, indexed("parts", "running", { completions: 3, parallelism: 3, backoffLimitPerIndex: 1 }));
    await cluster.until(() => expect(cluster.job("parts").status?.ready).toBe(3));
    const first = podOf(cluster, 1)!;
    end(cluster, 1, 1);
    const second = await cluster.until(() => {
      const pod = podOf(cluster, 1);
      expect(pod && pod.metadata.name !== first.metadata.name).toBe(true);
      return pod!;
    });
    expect(second.metadata.annotations?.["batch.kubernetes.io/job-index-failure-count"]).toBe("1");
    expect(secondsAfter(first, second)).toBeGreaterThanOrEqual(10);
    end(cluster, 1, 1);
    await cluster.until(() => expect(cluster.job("parts").status).toMatchObject({ failed: 2, failedIndexes: "1", active: 2, uncountedTerminatedPods: {} }));
    for (const index of [0, 2]) end(cluster, index, 0);
    const failed = "FailedIndexes: Job has failed indexes";
    await cluster.until(() => expect(conditionsOf(cluster.job("parts"))).toEqual([`FailureTarget=True ${failed}`, `Failed=True ${failed}`]));
    expect(cluster.job("parts").status).toMatchObject({ succeeded: 2, completedIndexes: "0,2", failedIndexes: "1", failed: 2 });
  });

  test("fails with too many failed indexes", async () => {
    await using cluster = await startCluster();
    const rules: NonNullable<JobSpec["podFailurePolicy"]>["rules"] = [{ action: "FailIndex", onExitCodes: { operator: "NotIn", values: [1] } }];
    await cluster.client.create(jobs, indexed("parts", "running", { backoffLimitPerIndex: 5, maxFailedIndexes: 1, podFailurePolicy: { rules } }));
    await cluster.until(() => expect(cluster.job("parts").status?.ready).toBe(4));
    for (const index of [0, 3]) end(cluster, index, 9);
    const failed = "MaxFailedIndexesExceeded: Job has exceeded the specified maximal number of failed indexes";
    await cluster.until(() => expect(conditionsOf(cluster.job("parts"))).toEqual([`FailureTarget=True ${failed}`, `Failed=True ${failed}`]));
    expect(cluster.job("parts").status).toMatchObject({ failed: 4, failedIndexes: "0,3" });
  });

  test("succeeds with the indexes that a policy asks for; the rest goes and counts as nothing", async () => {
    await using cluster = await startCluster();
    await cluster.client.create(jobs, indexed("parts", "running", { successPolicy: { rules: [{ succeededIndexes: "3" }, { succeededIndexes: "0-2", succeededCount: 2 }] } }));
    await cluster.until(() => expect(cluster.job("parts").status?.ready).toBe(4));
    for (const index of [0, 2]) end(cluster, index, 0);
    const met = "SuccessPolicy: Matched rules at index 1";
    await cluster.until(() => expect(conditionsOf(cluster.job("parts"))).toEqual([`SuccessCriteriaMet=True ${met}`, `Complete=True ${met}`]));
    expect(cluster.job("parts").status).toMatchObject({ succeeded: 2, completedIndexes: "0,2", terminating: 0 });
    expect(cluster.job("parts").status?.failed).toBeUndefined();
    await cluster.until(() => expect(cluster.pods(ns)).toHaveLength(2));
  });

  test("grows and shrinks", async () => {
    await using cluster = await startCluster();
    await cluster.client.create(jobs, indexed("parts", "running"));
    await cluster.until(() => expect(cluster.job("parts").status?.ready).toBe(4));
    await patch(cluster, "parts", { completions: 2, parallelism: 2 });
    await cluster.until(() => expect(cluster.job("parts").status).toMatchObject({ active: 2, ready: 2, terminating: 0 }));
    expect([0, 1, 2, 3].map((index) => podOf(cluster, index) !== undefined)).toEqual([true, true, false, false]);
    await patch(cluster, "parts", { completions: 3, parallelism: 3 });
    await cluster.until(() => expect(cluster.job("parts").status).toMatchObject({ active: 3, ready: 3 }));
    for (const index of [0, 1, 2]) end(cluster, index, 0);
    await cluster.until(() => expect(cluster.job("parts").status).toMatchObject({ succeeded: 3, completedIndexes: "0-2", completionTime: expect.any(String) }));
    expect(cluster.job("parts").status?.failed).toBeUndefined();
  });
});

test("a suspended job has no pods; its time begins anew when it goes on", async () => {
  await using cluster = await startCluster();
  await cluster.client.create(jobs, jobOf("pause", "running", { suspend: true, parallelism: 2, completions: 2, activeDeadlineSeconds: 300 }));
  await cluster.until(() => expect(conditionsOf(cluster.job("pause"))).toEqual(["Suspended=True JobSuspended: Job suspended"]));
  expect(cluster.job("pause").status?.startTime).toBeUndefined();
  await patch(cluster, "pause", { suspend: false });
  await cluster.until(() => expect(cluster.job("pause").status).toMatchObject({ active: 2, ready: 2 }));
  expect(conditionsOf(cluster.job("pause"))).toEqual(["Suspended=False JobResumed: Job resumed"]);
  const { startTime } = cluster.job("pause").status!;
  await patch(cluster, "pause", { suspend: true });
  await cluster.until(() => expect(cluster.pods(ns)).toEqual([]));
  expect(cluster.job("pause").status).toMatchObject({ ready: 0, uncountedTerminatedPods: {} });
  expect(cluster.job("pause").status?.failed).toBeUndefined();
  for (let minute = 0; minute < 10; minute++) await cluster.clock.advance(60_000);
  await patch(cluster, "pause", { suspend: false });
  await cluster.until(() => expect(cluster.job("pause").status?.ready).toBe(2));
  expect(Date.parse(cluster.job("pause").status!.startTime!) - Date.parse(startTime!)).toBeGreaterThan(600_000);
  // Its time is time that passes, not what the clock is set to.
  cluster.clock.jump(3_600_000);
  await cluster.pass(30);
  expect(cluster.job("pause").status).toMatchObject({ active: 2, ready: 2 });
  const failed = "DeadlineExceeded: Job was active longer than specified deadline";
  await cluster.until(() => expect(conditionsOf(cluster.job("pause")).slice(1)).toEqual([`FailureTarget=True ${failed}`, `Failed=True ${failed}`]));
  expect(cluster.job("pause").status).toMatchObject({ failed: 2 });
  await cluster.until(() => expect(cluster.told().filter((text) => !text.includes("pod:"))).toEqual(["Normal Resumed: Job resumed", "Normal Suspended: Job suspended", `Warning ${failed}`]));
});

test("a pod that is deleted fails at once, or is waited for", async () => {
  await using cluster = await startCluster();
  const slow = (name: string, spec: Partial<JobSpec>): Job => {
    const job = jobOf(name, "running", spec, { terminationGracePeriodSeconds: 60 });
    job.spec.template.metadata!.annotations!["hollow.skiff/stop"] = "143 after 20s";
    return job;
  };
  await cluster.client.create(jobs, slow("eager", {}));
  await cluster.client.create(jobs, slow("patient", { podReplacementPolicy: "Failed" }));
  for (const name of ["eager", "patient"]) await cluster.until(() => expect(cluster.job(name).status?.ready).toBe(1));
  for (const { metadata } of cluster.live()) await cluster.client.delete(pods, { namespace: ns, name: metadata.name! });
  await cluster.pass(2);
  expect(cluster.job("patient").status).toMatchObject({ terminating: 1, ready: 0 });
  expect(cluster.job("patient").status?.failed).toBeUndefined();
  await cluster.until(() => expect(cluster.job("eager").status).toMatchObject({ active: 1, failed: 1, terminating: 1 }));
  await cluster.until(() => expect(cluster.job("patient").status).toMatchObject({ active: 1, failed: 1, terminating: 0, uncountedTerminatedPods: {} }));
  expect(cluster.job("eager").status).toMatchObject({ active: 1, failed: 1 });
});

test("pods are adopted and let go with their finalizer, and freed when the job is no more", async () => {
  await using cluster = await startCluster();
  await cluster.client.create(jobs, jobOf("owner", "running", { parallelism: 2, completions: 2 }));
  await cluster.until(() => expect(cluster.job("owner").status?.ready).toBe(2));
  const change = (name: string, metadata: object): Promise<unknown> => cluster.client.patch(pods, { namespace: ns, name }, { type: "application/merge-patch+json", body: { metadata } });
  const [orphaned, released] = cluster.live().map(({ metadata }) => metadata.name!) as [string, string];
  await change(orphaned, { ownerReferences: null });
  await cluster.until(() => expect(cluster.pods(ns).find(({ metadata }) => metadata.name === orphaned)?.metadata).toMatchObject({ ownerReferences: [{ kind: "Job", name: "owner", controller: true }], finalizers: ["batch.kubernetes.io/job-tracking"] }));
  await change(released, { labels: null });
  await cluster.until(() => {
    const { ownerReferences, finalizers } = cluster.pods(ns).find(({ metadata }) => metadata.name === released)!.metadata;
    expect({ ownerReferences, finalizers }).toEqual({ ownerReferences: undefined, finalizers: undefined });
    expect(cluster.job("owner").status).toMatchObject({ active: 2, ready: 2 });
  });
  await cluster.client.delete(jobs, { namespace: ns, name: "owner" }, { propagationPolicy: "Background" });
  await cluster.until(() => expect(cluster.pods(ns).map(({ metadata }) => metadata.name)).toEqual([released]));
});

test("a job that another program manages is left alone, and so are its pods", async () => {
  await using cluster = await startCluster();
  await cluster.client.create(jobs, jobOf("theirs", "running", { managedBy: "example.com/other" }));
  await cluster.pass(5);
  expect(cluster.job("theirs").status).toEqual({});
  expect(cluster.pods(ns)).toEqual([]);
});

test("a job whose pods are refused tries again after a second, two, four", async () => {
  await using cluster = await startCluster();
  await cluster.client.create(resourcequotas, { metadata: { name: "none", namespace: ns }, spec: { hard: { pods: "0" } }, status: { hard: { pods: "0" }, used: { pods: "0" } } });
  await cluster.client.update(resourcequotas, { ...thaw<ResourceQuota>(cluster.list<ResourceQuota>(resourcequotas, ns)[0]!), status: { hard: { pods: "0" }, used: { pods: "0" } } }, { subresource: "status" });
  await cluster.client.create(jobs, jobOf("refused", "0"));
  const tries = (): number => cluster.list<Event>(events, ns).filter(({ reason }) => reason === "FailedCreate").reduce((sum, { count }) => sum + (count ?? 1), 0);
  await cluster.until(() => expect(tries()).toBeGreaterThan(0));
  await cluster.pass(20);
  expect(tries()).toBeWithin(4, 7);
});
