import { expect, test } from "bun:test";
import { events, jobs, pods } from "../../src/apis/builtins.ts";
import type { Job, JobSpec } from "../../src/apis/generated/batch/v1.ts";
import type { Event, Pod, PodStatus } from "../../src/apis/generated/core/v1.ts";
import { startControlPlane, type ControlPlane } from "../support/control-plane.ts";
import { eventually } from "../support/eventually.ts";

const ns = "default";

const jobNamed = (name: string, spec: Partial<JobSpec> = {}): Job => ({
  apiVersion: "batch/v1", kind: "Job", metadata: { name, namespace: ns },
  spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "v1" }] } }, ...spec },
});
const only = (controller: { name: string }): boolean => ["job-controller", "job-orphan-pod", "service-account-controller"].includes(controller.name);
const jobOf = (plane: ControlPlane, name = "work"): Job => plane.list<Job>(jobs, ns).find(({ metadata }) => metadata.name === name)!;
const conditionsOf = (job: Job): string[] => (job.status?.conditions ?? []).map(({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message}`);
const active = (plane: ControlPlane): Pod[] => plane.pods(ns).filter(({ metadata, status }) => !metadata.deletionTimestamp && status?.phase !== "Succeeded" && status?.phase !== "Failed");
const patchStatus = (plane: ControlPlane, pod: Pod, status: PodStatus): Promise<unknown> =>
  plane.client.patch(pods, { namespace: ns, name: pod.metadata.name! }, { type: "application/merge-patch+json", body: { status } }, { subresource: "status" });
const ended = (exitCode: number): PodStatus => ({ phase: exitCode === 0 ? "Succeeded" : "Failed", containerStatuses: [{ name: "c", image: "v1", imageID: "", ready: false, restartCount: 0, state: { terminated: { exitCode, finishedAt: "2020-01-01T00:00:00Z" } } }] });
const told = (plane: ControlPlane): string[] => plane.list<Event>(events, ns).filter(({ involvedObject }) => involvedObject.kind === "Job").map(({ reason, message }) => `${reason}: ${message}`);

test("a job runs its pods to completion and counts each once", async () => {
  await using plane = await startControlPlane({ select: only });
  await plane.client.create(jobs, jobNamed("work", { completions: 5, parallelism: 2 }));
  for (let done = 0; done < 5;) {
    const running = await eventually(() => {
      expect(active(plane)).toHaveLength(Math.min(2, 5 - done));
      expect(jobOf(plane).status).toMatchObject({ active: Math.min(2, 5 - done), ready: 0, terminating: 0, uncountedTerminatedPods: {} });
      return active(plane);
    });
    await patchStatus(plane, running[0]!, ended(0));
    done++;
    await eventually(() => expect(jobOf(plane).status?.succeeded).toBe(done));
  }
  const job = await eventually(() => {
    expect(conditionsOf(jobOf(plane))).toEqual(["SuccessCriteriaMet=True CompletionsReached: Reached expected number of succeeded pods", "Complete=True CompletionsReached: Reached expected number of succeeded pods"]);
    return jobOf(plane);
  });
  expect(job.status).toMatchObject({ succeeded: 5, ready: 0, terminating: 0, uncountedTerminatedPods: {}, completionTime: expect.any(String) });
  expect(plane.pods(ns).flatMap(({ metadata }) => metadata.finalizers ?? [])).toEqual([]);
  await eventually(() => expect(told(plane).map((text) => text.replace(/-\w+$/, "-x")).toSorted()).toEqual(["Completed: Job completed", ...Array.from({ length: 5 }, () => "SuccessfulCreate: Created pod: work-x")]));
});
