import type { Frozen } from "../../apimachinery/meta.ts";
import type { Job } from "../../apis/generated/batch/v1.ts";
import { finishedCondition } from "../job-status.ts";

/** When the job is to be deleted, in milliseconds since the epoch; undefined while it runs, when it stays for good or goes already. */
export function expiryOf(job: Frozen<Job>): number | undefined {
  const ttl = job.spec.ttlSecondsAfterFinished, finished = finishedCondition(job)?.lastTransitionTime;
  return job.metadata.deletionTimestamp || ttl === undefined || !finished ? undefined : Date.parse(finished) + ttl * 1000;
}
