import { expect, test } from "bun:test";
import { jobs, pods, serviceaccounts } from "../../src/apis/builtins.ts";
import type { Job, JobSpec } from "../../src/apis/generated/batch/v1.ts";
import type { Pod } from "../../src/apis/generated/core/v1.ts";
import { startControllers } from "../../src/client/run-controllers.ts";
import { jobController } from "../../src/controllers/job/job.ts";
import { jobOrphanPods } from "../../src/controllers/job/orphan-pods.ts";
import { startControlPlane, type ControlPlane } from "../support/control-plane.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { mortalClient } from "../support/mortal-client.ts";
import { quiet } from "../support/quiet.ts";

/**
 * The controllers die before a write, for each of their writes in turn, and before every second one: others that know nothing take over. Whatever
 * was written last, the end is the same: every pod made once and counted once.
 */

const ns = "default", indexKey = "batch.kubernetes.io/job-completion-index";

interface Scenario {
  spec: Partial<JobSpec>;
  /** How the `nth` pod of the job (or of its index) ends; undefined while it runs. */
  end(pod: Pod, nth: number): number | undefined;
  /** Something a user does once the job is as told. */
  user?: { when(job: Job): boolean; patch: Partial<JobSpec> }[];
  expected: Pick<NonNullable<Job["status"]>, "succeeded" | "failed" | "completedIndexes" | "failedIndexes"> & { reason: string; pods: number };
}

const scenarios: Record<string, Scenario> = {
  "some fail": { spec: { completions: 3, parallelism: 2 }, end: (_, nth) => (nth < 2 ? 1 : 0), expected: { succeeded: 3, failed: 2, reason: "CompletionsReached", pods: 5 } },
  "too many fail": { spec: { completions: 3, parallelism: 2, backoffLimit: 1 }, end: () => 1, expected: { failed: 2, reason: "BackoffLimitExceeded", pods: 2 } },
  "one fails all": {
    spec: { completions: 3, parallelism: 3, podFailurePolicy: { rules: [{ action: "FailJob", onExitCodes: { operator: "In", values: [7] } }] } },
    end: (_, nth) => (nth === 1 ? 7 : undefined), expected: { failed: 3, reason: "PodFailurePolicy", pods: 1 },
  },
  "an index fails twice": {
    spec: { completionMode: "Indexed", completions: 3, parallelism: 3, backoffLimitPerIndex: 1 },
    end: ({ metadata }) => (metadata.annotations![indexKey] === "1" ? 1 : 0), expected: { succeeded: 2, failed: 2, completedIndexes: "0,2", failedIndexes: "1", reason: "FailedIndexes", pods: 4 },
  },
  "one index is enough": {
    spec: { completionMode: "Indexed", completions: 3, parallelism: 3, backoffLimit: 0, successPolicy: { rules: [{ succeededIndexes: "1" }] } },
    end: ({ metadata }) => (metadata.annotations![indexKey] === "1" ? 0 : undefined), expected: { succeeded: 1, completedIndexes: "1", reason: "SuccessPolicy", pods: 1 },
  },
  "suspended in between": {
    spec: { completions: 2, parallelism: 2, backoffLimit: 0 }, end: (_, nth) => (nth < 2 ? undefined : 0),
    user: [{ when: ({ status }) => status?.active === 2, patch: { suspend: true } }, { when: ({ status }) => !status?.active && status?.conditions?.[0]?.status === "True", patch: { suspend: false } }],
    expected: { succeeded: 2, reason: "CompletionsReached", pods: 2 },
  },
};

/** Runs a scenario; each life of the controllers has so many writes, the last one has all it wants. Returns how many there were in all. */
async function run(plane: ControlPlane, clock: FakeClock, name: string, { spec, end, user = [], expected }: Scenario, lives: readonly number[]): Promise<number> {
  let written = 0;
  const ends = new Map<string, number | undefined>(), seen = new Map<string, number>(), steps = [...user];
  await plane.client.create(jobs, { apiVersion: "batch/v1", kind: "Job", metadata: { name, namespace: ns }, spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "v1" }] } }, ...spec } });
  const jobNow = (): Job => plane.list<Job>(jobs, ns).find(({ metadata }) => metadata.name === name)!;
  const finished = (job: Job): boolean => job.status?.conditions?.some(({ type, status }) => (type === "Complete" || type === "Failed") && status === "True") ?? false;
  const live = (): Pod[] => plane.pods(ns).filter(({ metadata }) => metadata.labels?.["job-name"] === name);
  const play = async (): Promise<void> => {
    const job = jobNow(), step = steps[0];
    if (step?.when(job)) {
      steps.shift();
      await plane.client.patch(jobs, { namespace: ns, name }, { type: "application/merge-patch+json", body: { spec: step.patch } });
    }
    for (const pod of live()) {
      const key = pod.metadata.annotations?.[indexKey] ?? "", uid = pod.metadata.uid!;
      if (!ends.has(uid)) {
        ends.set(uid, end(pod, seen.get(key) ?? 0));
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }
      const exitCode = ends.get(uid);
      if (exitCode === undefined || pod.metadata.deletionTimestamp || pod.status?.phase !== "Pending") continue;
      const status = { phase: exitCode === 0 ? "Succeeded" : "Failed", containerStatuses: [{ name: "c", image: "v1", imageID: "", ready: false, restartCount: 0, state: { terminated: { exitCode, finishedAt: new Date(clock.now()).toISOString() } } }] };
      await plane.client.patch(pods, { namespace: ns, name: pod.metadata.name! }, { type: "application/merge-patch+json", body: { status } }, { subresource: "status" });
    }
  };
  for (const life of [...lives, Infinity]) {
    if (finished(jobNow())) break;
    const stop = new AbortController(), mortal = mortalClient(plane.client, life, () => stop.abort());
    const running = startControllers([jobController(), jobOrphanPods], { clientFor: () => mortal.client, recorderFor: () => ({ event: () => undefined }), informers: plane.informers, clock }, stop.signal);
    for (let look = 0; !stop.signal.aborted && !finished(jobNow()); look++) {
      if (look > 500) throw new Error(`not finished after ${lives.join(", ")} writes: ${JSON.stringify(jobNow().status)}`);
      await play();
      await clock.advance(2000);
      await quiet(plane, () => mortal.busy);
    }
    const died = stop.signal.aborted;
    stop.abort();
    // A write that never ends keeps its worker: only who lives on drains.
    await (died ? mortal.settled() : running);
    written += mortal.written;
  }
  const { status } = jobNow(), { reason, pods: count, ...numbers } = expected;
  const { succeeded, failed, completedIndexes, failedIndexes, uncountedTerminatedPods, terminating } = status!;
  const found = { ...numbers, succeeded, failed, completedIndexes, failedIndexes, uncounted: uncountedTerminatedPods, terminating, reason: status!.conditions!.at(-1)!.reason, pods: live().length };
  expect({ lives, ...found }).toEqual({ lives, succeeded: undefined, failed: undefined, completedIndexes: undefined, failedIndexes: undefined, ...numbers, uncounted: {}, terminating: 0, reason, pods: count } as never);
  expect(live().filter(({ metadata }) => metadata.finalizers?.length)).toEqual([]);
  return written;
}

test.each(Object.keys(scenarios))("%s", async (name) => {
  const clock = new FakeClock();
  await using plane = await startControlPlane({ clock, select: () => false });
  await plane.client.create(serviceaccounts, { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace: ns } });
  const scenario = scenarios[name]!, title = (run: string): string => `${name.replaceAll(" ", "-")}-${run}`;
  const total = await run(plane, clock, title("whole"), scenario, []);
  expect(total).toBeGreaterThan(5);
  for (let life = 0; life < total; life++) await run(plane, clock, title(String(life)), scenario, [life]);
  await run(plane, clock, title("short"), scenario, Array.from({ length: total }, () => 1));
}, 300_000);
