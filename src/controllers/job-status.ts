import type { Frozen } from "../apimachinery/meta.ts";
import type { Job, JobCondition } from "../apis/generated/batch/v1.ts";

/** What controllers read from a job's status. Source: k8s.io/kubernetes/pkg/controller/job/util. */
export function finishedCondition(job: Frozen<Job>): Frozen<JobCondition> | undefined {
  return job.status?.conditions?.find(({ type, status }) => (type === "Complete" || type === "Failed") && status === "True");
}

export const isJobFinished = (job: Frozen<Job>): boolean => finishedCondition(job) !== undefined;
